//! Having the log's checkpoints cosigned.
//!
//! A witness that says that the log had been longer, or another, is believed: from then on nothing is recorded, and so
//! nothing is done. Who runs the gateway decides whether to go on without it, by taking it out of the configuration.

use super::Gateway;
use crate::witness::{Answer, Client};
use govern::project::Witness;
use proof::AddCheckpoint;
use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// How often it is looked whether a cosignature is due.
const LOOK: Duration = Duration::from_millis(500);
/// How long a start waits for what the witnesses have to say: whether the log had been longer should be known before the
/// first call, and a witness that is not there must not keep a gateway from serving.
const START_WAIT: Duration = Duration::from_secs(2);
/// Questions of one round: what was cosigned last may have to be asked for first.
const MAX_ASKED: usize = 3;

/// What came of a round.
#[derive(Debug, PartialEq, Eq)]
enum Round {
    /// The newest checkpoint is cosigned.
    Cosigned,
    /// The log is not what the witness has seen.
    Contradicted(String),
    /// Nothing can be said.
    Unanswered(String),
}

impl Gateway {
    /// Asks every witness once, all at the same time, before anything is served.
    pub(super) async fn ask_witnesses(&self) {
        let witnesses = self.shared.pipeline.snapshot().project.settings.log.witnesses.clone();
        let rounds = witnesses.iter().map(|(name, witness)| async move {
            match tokio::time::timeout(START_WAIT, self.round(witness)).await {
                Ok(round) => self.take(name, &round),
                Err(_) => self.take(name, &Round::Unanswered("no answer before the start".to_owned())),
            }
        });
        futures_util::future::join_all(rounds).await;
    }

    /// Has the log cosigned for as long as the gateway serves.
    pub(super) async fn follow_witnesses(self: Arc<Self>) {
        let mut asked: HashMap<String, Instant> = HashMap::new();
        loop {
            tokio::time::sleep(LOOK).await;
            let witnesses = self.shared.pipeline.snapshot().project.settings.log.witnesses.clone();
            asked.retain(|name, _| witnesses.contains_key(name));
            self.uncosigned().retain(|name, _| witnesses.contains_key(name));
            for (name, witness) in &witnesses {
                let every = Duration::from_secs(witness.every_s);
                if asked.get(name).is_none_or(|asked| asked.elapsed() >= every) {
                    asked.insert(name.clone(), Instant::now());
                    let round = self.round(witness).await;
                    self.take(name, &round);
                }
            }
        }
    }

    /// Why each witness did not cosign when it was last asked. Held for no longer than a look at it.
    pub(crate) fn uncosigned(&self) -> MutexGuard<'_, BTreeMap<String, String>> {
        self.uncosigned.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, name: &str, round: &Round) {
        match round {
            Round::Cosigned => self.uncosigned().remove(name),
            Round::Unanswered(reason) | Round::Contradicted(reason) => {
                self.uncosigned().insert(name.to_owned(), reason.clone())
            }
        };
        match round {
            Round::Cosigned => {}
            Round::Unanswered(reason) => tracing::warn!(witness = name, reason, "not cosigned"),
            Round::Contradicted(reason) => {
                tracing::error!(witness = name, reason, "the log is contradicted: nothing is done any more");
                self.log.condemn(&format!("witness `{name}` contradicts the log: {reason}"));
            }
        }
    }

    /// Has one witness cosign the newest checkpoint.
    async fn round(&self, witness: &Witness) -> Round {
        match self.try_round(witness).await {
            Ok(round) => round,
            Err(reason) => Round::Unanswered(reason),
        }
    }

    async fn try_round(&self, witness: &Witness) -> Result<Round, String> {
        let client = Client::new(&witness.url)?;
        let dir: PathBuf = self.state.log();
        let key = witness.key.clone();
        let known = blocking({
            let (dir, key) = (dir.clone(), key.clone());
            move || store::cosigned(&dir, &key)
        });
        let mut old = match known.await {
            // Kept here, signed by the log and by the witness: no answer could say it better.
            Ok(Some(kept)) if kept.size > self.log.size() => {
                let reason = format!("it cosigned {} records, and there are {}", kept.size, self.log.size());
                return Ok(Round::Contradicted(reason));
            }
            Ok(kept) => kept.map_or(0, |kept| kept.size),
            Err(reason) => {
                tracing::warn!(reason, "what was cosigned last cannot be read, the witness is asked for it");
                0
            }
        };
        for _ in 0..MAX_ASKED {
            let request: AddCheckpoint = blocking({
                let dir = dir.clone();
                move || store::ask_to_cosign(&dir, old)
            })
            .await?;
            let size = proof::Checkpoint::parse(request.note.text()).map_err(|error| error.to_string())?.size();
            match client.add_checkpoint(&request).await? {
                Answer::Cosigned(signatures) => {
                    let good = signatures.into_iter().find(|line| key.accepts(request.note.text(), line).is_some());
                    let good = good.ok_or("the cosignature is not by the key in `mortise.toml`")?;
                    let note = request.note.with_signature(good).map_err(|error| error.to_string())?;
                    blocking(move || store::keep_cosigned(&dir, &key, &note)).await?;
                    return Ok(Round::Cosigned);
                }
                Answer::OtherSize(last) if last > self.log.size() => {
                    let reason = format!("it cosigned {last} records, and there are {}", self.log.size());
                    return Ok(Round::Contradicted(reason));
                }
                // After a power cut an older checkpoint may be in place of one whose records are all there.
                Answer::OtherSize(last) if last > size => {
                    return Err(format!("it cosigned {last} records, which no checkpoint is over yet"));
                }
                Answer::OtherSize(last) if last == old && last == size => {
                    let reason = format!("it cosigned another history of the first {size} records");
                    return Ok(Round::Contradicted(reason));
                }
                // What it cosigned last is not what we kept: asked again from there.
                Answer::OtherSize(last) => old = last,
                Answer::NotGrown => {
                    let reason = format!("the log did not only grow since the {old} records it cosigned");
                    return Ok(Round::Contradicted(reason));
                }
                Answer::Refused(status) => return Err(format!("it does not cosign this log ({status})")),
            }
        }
        Err("it names another size whenever it is asked".to_owned())
    }
}

/// Files are read and made durable where nobody waits for the thread.
async fn blocking<T, E>(work: impl FnOnce() -> Result<T, E> + Send + 'static) -> Result<T, String>
where
    T: Send + 'static,
    E: std::fmt::Display + Send + 'static,
{
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done.map_err(|error| error.to_string()),
        Err(_) => Err("reading the log was interrupted".to_owned()),
    }
}
