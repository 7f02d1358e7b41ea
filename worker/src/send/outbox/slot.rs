//! A connection as counted by the outbox, from its opening until the relay no longer counts it.

use std::sync::Arc;
use std::time::Instant;

use super::{Connections, Health, Outbox, State};
use crate::send::flow_control::{Circuit, OtherConnections};
use crate::send::shipment::Shipment;
use crate::send::verdict::Answer;

/// Counts one connection in its stage until dropped, even if its task panics.
pub(super) struct Slot<S: Shipment> {
    pub(super) outbox: Arc<Outbox<S>>,
    stage: Stage,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Opening,
    Open,
    Closing,
}

impl Connections {
    fn of(&mut self, stage: Stage) -> &mut usize {
        match stage {
            Stage::Opening => &mut self.opening,
            Stage::Open => &mut self.open,
            Stage::Closing => &mut self.closing,
        }
    }
}

impl<S: Shipment> Slot<S> {
    /// Counts a connection that is about to be opened.
    pub(super) fn opening(outbox: &Arc<Outbox<S>>, state: &mut State<S>) -> Self {
        let stage = Stage::Opening;
        *state.connections.of(stage) += 1;
        Self {
            outbox: Arc::clone(outbox),
            stage,
        }
    }

    fn go_to(&mut self, stage: Stage, state: &mut State<S>) {
        *state.connections.of(self.stage) -= 1;
        *state.connections.of(stage) += 1;
        self.stage = stage;
    }

    /// Counts it as ready for mails.
    pub(super) fn opened(&mut self) {
        let outbox = Arc::clone(&self.outbox);
        let mut state = outbox.state();
        self.go_to(Stage::Open, &mut state);
        state.flow.connected();
        if state.flow.circuit() == Circuit::HalfOpen {
            outbox.set_health(Health::Trial);
        }
        state.admissions.wake();
        outbox.show_connections(&state);
    }

    /// Records that it could not be opened.
    pub(super) fn failed(self, answer: &Answer) {
        let mut state = self.outbox.state();
        let others = OtherConnections {
            open: state.connections.open,
            opening: state.connections.opening - 1,
            have: self.outbox.settings.doubt_after(answer),
        };
        if state.flow.connect_failed(answer, &others, Instant::now()) {
            self.outbox.circuit_opened(state, Some(answer));
        }
    }

    /// Takes no further mails. The connection counts at the relay until QUIT is answered.
    pub(super) fn closing(&mut self) {
        let outbox = Arc::clone(&self.outbox);
        let mut state = outbox.state();
        self.go_to(Stage::Closing, &mut state);
        outbox.balance(&mut state);
        outbox.show_connections(&state);
    }
}

impl<S: Shipment> Drop for Slot<S> {
    fn drop(&mut self) {
        let outbox = Arc::clone(&self.outbox);
        let mut state = outbox.state();
        *state.connections.of(self.stage) -= 1;
        outbox.balance(&mut state);
        outbox.show_connections(&state);
    }
}
