//! The number of connections to Postgres, read at each scrape.

use crate::store::Db;
use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{IntGauge, IntGaugeVec, Opts};

/// Collector for a pool of connections.
pub(super) struct PoolGauges {
    db: Db,
    connections: IntGaugeVec,
    most: IntGauge,
}

impl PoolGauges {
    /// Creates the collector for a pool.
    ///
    /// # Errors
    ///
    /// A metric name is invalid, which a test of every process's page detects.
    pub(super) fn of(db: Db) -> Result<Self, prometheus::Error> {
        let connections = IntGaugeVec::new(
            Opts::new(
                "beckon_database_connections",
                "Connections to Postgres: idle, or in_use by a statement or a transaction.",
            ),
            &["state"],
        )?;
        let most = IntGauge::new(
            "beckon_database_connections_max",
            "Maximum number of connections to Postgres of this process (BECKON_DATABASE_CONNECTIONS).",
        )?;
        Ok(Self { db, connections, most })
    }
}

impl Collector for PoolGauges {
    fn desc(&self) -> Vec<&Desc> {
        [self.connections.desc(), self.most.desc()].concat()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let number = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
        let (all, idle) = (self.db.size() as usize, self.db.num_idle());
        self.connections.with_label_values(&["idle"]).set(number(idle));
        let in_use = all.saturating_sub(idle);
        self.connections.with_label_values(&["in_use"]).set(number(in_use));
        self.most.set(i64::from(self.db.options().get_max_connections()));
        [self.connections.collect(), self.most.collect()].concat()
    }
}
