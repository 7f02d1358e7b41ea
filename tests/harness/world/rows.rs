//! Rows of the database, for what a test has to see or to arrange past the API. What the database refuses ends
//! the test.
//!
//! ```ignore
//! world.rows("credentials").with("user_id", ada).count().await;
//! world.rows("batches").with("id", batch).set(json!({ "start_at": "now" })).await;
//! ```

use std::fmt::Display;
use std::time::Duration;

use serde_json::Value;
use sqlx::postgres::PgArguments;
use sqlx::query::{Query, QueryScalar};
use sqlx::{AssertSqlSafe, Decode, PgPool, Postgres, Type};

use super::World;

/// The rows of a table, all of them until they are narrowed down.
#[must_use]
pub struct Rows<'a> {
    db: &'a PgPool,
    table: String,
    conditions: Vec<String>,
    values: Vec<String>,
    order: Option<&'static str>,
}

impl World {
    /// The names of all tables with rows of their own.
    pub async fn tables(&self) -> Vec<String> {
        let tables = "select quote_ident(relname) from pg_class
                      where relkind = 'r' and relnamespace = current_schema()::regnamespace order by 1";
        let tables = sqlx::query_scalar(tables).fetch_all(&self.db).await;
        tables.unwrap_or_else(|fault| panic!("could not list the tables: {fault}"))
    }

    /// Inserts a row, or each row of an array. Values are converted as by [`Rows::set`], and columns that the first row
    /// does not name get their defaults.
    pub async fn insert(&self, table: &str, rows: Value) {
        let rows = match rows {
            Value::Array(rows) => rows,
            row => vec![row],
        };
        let names = rows.first().map(column_names).unwrap_or_default();
        let insert =
            format!("insert into {table} ({names}) select {names} from jsonb_populate_recordset(null::{table}, $1)");
        self.change(sqlx::query(AssertSqlSafe(insert)).bind(Value::Array(rows)))
            .await;
    }

    /// Executes a statement of another verb.
    pub(super) async fn change(&self, statement: Query<'_, Postgres, PgArguments>) {
        let done = statement.execute(&self.db).await;
        assert!(done.is_ok(), "{done:?}");
    }

    /// The rows of a table.
    pub fn rows(&self, table: impl Into<String>) -> Rows<'_> {
        Rows {
            db: &self.db,
            table: table.into(),
            conditions: Vec::new(),
            values: Vec::new(),
            order: None,
        }
    }
}

impl Rows<'_> {
    /// Those with this value in a column, compared as text.
    pub fn with(mut self, column: &'static str, value: impl Display) -> Self {
        self.values.push(value.to_string());
        self.conditions.push(format!("{column}::text = ${}", self.values.len()));
        self
    }

    /// Those with another value in a column, compared as text.
    pub fn other_than(mut self, column: &'static str, value: impl Display) -> Self {
        self.values.push(value.to_string());
        self.conditions
            .push(format!("{column}::text <> ${}", self.values.len()));
        self
    }

    /// Those with any value in a column.
    pub fn having(mut self, column: &'static str) -> Self {
        self.conditions.push(format!("{column} is not null"));
        self
    }

    /// Those without a value in a column.
    pub fn without(mut self, column: &'static str) -> Self {
        self.conditions.push(format!("{column} is null"));
        self
    }

    /// In the order of a column.
    pub fn ordered_by(mut self, column: &'static str) -> Self {
        self.order = Some(column);
        self
    }

    /// How many there are.
    pub async fn count(self) -> i64 {
        self.read::<i64>("count(*)").await.into_iter().sum()
    }

    /// The values of a column.
    pub async fn column<T>(self, column: &str) -> Vec<T>
    where
        T: for<'r> Decode<'r, Postgres> + Type<Postgres> + Send + Unpin,
    {
        self.read(column).await
    }

    async fn read<T>(&self, column: &str) -> Vec<T>
    where
        T: for<'r> Decode<'r, Postgres> + Type<Postgres> + Send + Unpin,
    {
        let order = self.order.map(|order| format!(" order by {order}")).unwrap_or_default();
        let sql = format!("select {column} from {} whole{}{order}", self.table, self.narrowed());
        let reading: QueryScalar<'_, Postgres, T, PgArguments> = sqlx::query_scalar(AssertSqlSafe(sql));
        let values = self.values.iter().fold(reading, QueryScalar::bind);
        let values = values.fetch_all(self.db).await;
        values.unwrap_or_else(|fault| panic!("could not read {column} of {}: {fault}", self.table))
    }

    /// The only value of a column.
    pub async fn only<T>(self, column: &str) -> T
    where
        T: for<'r> Decode<'r, Postgres> + Type<Postgres> + Send + Unpin,
    {
        let mut values = self.read(column).await;
        let rows = values.len();
        match values.pop() {
            Some(value) if rows == 1 => value,
            _ => panic!("{rows} rows of {} instead of one", self.table),
        }
    }

    /// The values of a column as text, whatever their type.
    pub async fn text_of(self, column: &str) -> Vec<String> {
        self.read(&format!("{column}::text")).await
    }

    /// The rows as text, with all columns.
    pub async fn texts(self) -> Vec<String> {
        self.text_of("whole").await
    }

    /// Makes the times in these columns this much earlier, and returns in how many rows.
    pub async fn age(self, columns: &[&str], by: Duration) -> u64 {
        let n = self.values.len() + 1;
        let earlier = columns
            .iter()
            .map(|column| format!("{column} = {column} - make_interval(secs => ${n})"));
        let change = format!("update {} set {}", self.table, earlier.collect::<Vec<_>>().join(", "));
        self.execute(&change, |query| query.bind(by.as_secs_f64())).await
    }

    /// Sets the columns of an object, and returns in how many rows. Values are converted to the types of the columns;
    /// `"now"` is a time.
    pub async fn set(self, columns: Value) -> u64 {
        let (table, n) = (&self.table, self.values.len() + 1);
        let names = column_names(&columns);
        let change =
            format!("update {table} set ({names}) = (select {names} from jsonb_populate_record(null::{table}, ${n}))");
        self.execute(&change, |query| query.bind(columns)).await
    }

    /// Deletes them, and returns how many.
    pub async fn delete(self) -> u64 {
        self.execute(&format!("delete from {}", self.table), |query| query)
            .await
    }

    async fn execute<'q>(
        &'q self,
        change: &str,
        bind_value: impl FnOnce(Query<'q, Postgres, PgArguments>) -> Query<'q, Postgres, PgArguments>,
    ) -> u64 {
        let changing = sqlx::query(AssertSqlSafe(format!("{change}{}", self.narrowed())));
        let changing = bind_value(self.values.iter().fold(changing, Query::bind));
        match changing.execute(self.db).await {
            Ok(done) => done.rows_affected(),
            Err(fault) => panic!("could not change {}: {fault}", self.table),
        }
    }

    fn narrowed(&self) -> String {
        if self.conditions.is_empty() {
            return String::new();
        }
        format!(" where {}", self.conditions.join(" and "))
    }
}

/// The columns that an object names.
fn column_names(row: &Value) -> String {
    let names = row.as_object().into_iter().flatten().map(|(name, _)| name.as_str());
    names.collect::<Vec<_>>().join(", ")
}
