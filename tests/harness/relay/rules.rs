//! Which behaviour applies to a recipient; can change while the relay runs.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use super::script::{Behaviour, Limit, Mode, Script, Step};
use std::borrow::Cow;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

type Predicate = Box<dyn Fn(&str) -> bool + Send + Sync>;

/// The relay's current rules.
pub(super) struct Rules {
    present: RwLock<Present>,
    /// How often each recipient of [`Behaviour::AcceptAfter`] was deferred.
    put_off: Mutex<HashMap<String, u32>>,
    /// When each recipient of [`Behaviour::Greylist`] was first named.
    greylisted: Mutex<HashMap<String, Instant>>,
    /// The limits with the times of the mails that count.
    limits: Mutex<Vec<(Limit, VecDeque<Instant>)>>,
    local_parts_speak: bool,
}

struct Present {
    default: Behaviour,
    recipients: HashMap<String, Behaviour>,
    predicates: Vec<(Predicate, Behaviour)>,
    mode: Mode,
}

impl Rules {
    pub(super) fn new(script: &Script) -> Self {
        let recipients = script.recipients.iter();
        Self {
            present: RwLock::new(Present {
                default: script.default.clone(),
                recipients: recipients
                    .map(|(recipient, behaviour)| (recipient.to_lowercase(), behaviour.clone()))
                    .collect(),
                predicates: Vec::new(),
                mode: script.mode.clone(),
            }),
            put_off: Mutex::default(),
            greylisted: Mutex::default(),
            limits: Mutex::default(),
            local_parts_speak: script.local_parts_speak,
        }
    }

    /// The behaviour for one recipient: a rule for the address, else the latest matching predicate, else the behaviour
    /// named by the local part, else the default.
    pub(super) fn for_recipient(&self, recipient: &str) -> Behaviour {
        let present = self.read();
        let ruled = if present.recipients.is_empty() {
            None
        } else {
            present.recipients.get(&recipient.to_lowercase())
        };
        let ruled = ruled.or_else(|| {
            let mut latest_first = present.predicates.iter().rev();
            latest_first
                .find(|(holds, _)| holds(recipient))
                .map(|(_, behaviour)| behaviour)
        });
        if let Some(behaviour) = ruled {
            return behaviour.clone();
        }
        let named = recipient
            .split_once('@')
            .filter(|_| self.local_parts_speak)
            .and_then(|(local_part, _)| Behaviour::from_local_part(local_part));
        named.unwrap_or_else(|| present.default.clone())
    }

    pub(super) fn default(&self) -> Behaviour {
        self.read().default.clone()
    }

    pub(super) fn mode(&self) -> Mode {
        self.read().mode.clone()
    }

    pub(super) fn set_default(&self, behaviour: Behaviour) {
        self.write().default = behaviour;
    }

    pub(super) fn set_mode(&self, mode: Mode) {
        self.write().mode = mode;
    }

    pub(super) fn set_limits(&self, limits: Vec<Limit>) {
        let mut present = self.limits.lock().unwrap_or_else(PoisonError::into_inner);
        *present = limits.into_iter().map(|limit| (limit, VecDeque::new())).collect();
    }

    /// Counts a mail that would be accepted at this step. Returns the reply to send instead if it exceeds a limit.
    pub(super) fn exceeds_limit(&self, step: Step) -> Option<Cow<'static, str>> {
        let mut present = self.limits.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        for (limit, taken) in present.iter_mut().filter(|(limit, _)| limit.at == step) {
            while taken.front().is_some_and(|at| now.duration_since(*at) >= limit.window) {
                taken.pop_front();
            }
            if taken.len() >= limit.most {
                return Some(limit.reply.clone());
            }
        }
        for (_, taken) in present.iter_mut().filter(|(limit, _)| limit.at == step) {
            taken.push_back(now);
        }
        None
    }

    pub(super) fn set(&self, recipient: &str, behaviour: Behaviour) {
        self.write().recipients.insert(recipient.to_lowercase(), behaviour);
    }

    pub(super) fn set_where(&self, holds: Predicate, behaviour: Behaviour) {
        self.write().predicates.push((holds, behaviour));
    }

    /// Whether this recipient was first named less than `wait` ago.
    pub(super) fn greylists(&self, recipient: &str, wait: Duration) -> bool {
        let mut greylisted = self.greylisted.lock().unwrap_or_else(PoisonError::into_inner);
        let first = greylisted.entry(recipient.to_lowercase()).or_insert_with(Instant::now);
        first.elapsed() < wait
    }

    /// Whether to defer this recipient once more, up to `refusals` times.
    pub(super) fn puts_off(&self, recipient: &str, refusals: u32) -> bool {
        let mut put_off = self.put_off.lock().unwrap_or_else(PoisonError::into_inner);
        let times = put_off.entry(recipient.to_lowercase()).or_default();
        if *times >= refusals {
            return false;
        }
        *times += 1;
        true
    }

    fn read(&self) -> RwLockReadGuard<'_, Present> {
        self.present.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Present> {
        self.present.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Rules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let present = self.read();
        f.debug_struct("Rules")
            .field("default", &present.default)
            .field("recipients", &present.recipients)
            .field("mode", &present.mode)
            .finish_non_exhaustive()
    }
}
