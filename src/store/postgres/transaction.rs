//! A transaction that asks as little as it can: nothing before its first question, and that one
//! without a transaction block, since most of those that read ask nothing more.

use super::commit::commit;
use super::session::{Session, Statements};
use super::{Fault, Postgres, sql};
use crate::store::key::check_keys;
use crate::store::{Access, Batch, Error, KeyRange, Result, Transaction};
use futures_util::future::{OptionFuture, join3};
use std::cell::RefCell;
use std::mem;
use tokio_postgres::Client;

type Entry = (Vec<u8>, Vec<u8>);

/// A transaction of the database, or what will become one.
pub(super) struct PostgresTransaction<'a> {
    engine: &'a Postgres,
    access: Access,
    state: RefCell<State>,
}

struct State {
    phase: Phase,
    /// What was told of the keys that are remembered, and not asked yet.
    assumed: Vec<(Vec<u8>, Option<Vec<u8>>)>,
}

enum Phase {
    /// Nothing was asked.
    New,
    /// One thing was asked, outside of any block.
    Asked(Session, Question, Answer),
    /// A block is open.
    Open(Session),
    /// It has failed, and nothing more can be asked.
    Failed(Error),
}

/// What is asked in one statement.
enum Question {
    Keys(Vec<Vec<u8>>),
    Range { range: KeyRange, limit: i64, beside: Vec<Vec<u8>> },
}

/// The entries of a range, and those of single keys.
#[derive(Clone, Default, Eq, PartialEq)]
struct Answer {
    range: Vec<Entry>,
    keys: Vec<Entry>,
}

impl<'a> PostgresTransaction<'a> {
    pub(super) fn new(engine: &'a Postgres, access: Access) -> Self {
        let state = State { phase: Phase::New, assumed: Vec::new() };
        Self { engine, access, state: RefCell::new(state) }
    }

    /// Asks for keys, or a range, and for what was only assumed so far.
    fn ask(&self, mut question: Question) -> Result<Answer> {
        let mut state = self.state.borrow_mut();
        let assumed = mem::take(&mut state.assumed);
        let (Question::Keys(keys) | Question::Range { beside: keys, .. }) = &mut question;
        keys.extend(assumed.iter().map(|(key, _)| key.clone()));
        let phase = mem::replace(&mut state.phase, Phase::New);
        let (phase, answer) = match self.put(phase, question) {
            Ok(answered) => answered,
            Err(error) => {
                state.phase = Phase::Failed(error.clone());
                return Err(error);
            }
        };
        state.phase = phase;
        for (key, value) in assumed {
            let found = answer.value(&key);
            if found != value {
                self.engine.remembered().insert(key, found);
                let error = Error::Again("what was remembered has changed".to_owned());
                state.phase = Phase::Failed(error.clone());
                return Err(error);
            }
        }
        Ok(answer)
    }

    /// Puts a question, in one round trip with what has to come before it.
    fn put(&self, phase: Phase, question: Question) -> Result<(Phase, Answer)> {
        let is_block = self.access == Access::Write || !matches!(phase, Phase::New);
        let (mut session, begin, first) = match phase {
            Phase::Failed(error) => return Err(error),
            Phase::New => {
                let begin = is_block.then_some(sql::BEGIN_WRITING);
                (self.engine.session().map_err(Fault::before_commit)?, begin, None)
            }
            // What was asked outside of the block is asked again inside: if it is still so, both
            // questions were answered of one state.
            Phase::Asked(session, asked, answer) => {
                (session, Some(sql::BEGIN_READING), Some((asked, answer)))
            }
            Phase::Open(session) => (session, None, None),
        };
        let limit = self.engine.settings.timeouts.answer;
        let answered = session.wait(limit, async |client, statements| {
            let begin: OptionFuture<_> = begin.map(|begin| client.batch_execute(begin)).into();
            let asked = first.as_ref().map(|(asked, _)| answer(client, statements, asked));
            let (begun, again, answer) =
                join3(begin, OptionFuture::from(asked), answer(client, statements, &question))
                    .await;
            begun.transpose()?;
            Ok((again.transpose()?, answer?))
        });
        let answered = answered.and_then(|(again, answer)| match (&first, again) {
            (Some((_, before)), Some(again)) if *before != again => {
                Err(Fault::Conflict("what was read first has changed".to_owned()))
            }
            _ => Ok(answer),
        });
        match answered {
            Ok(answer) if is_block => Ok((Phase::Open(session), answer)),
            Ok(answer) => Ok((Phase::Asked(session, question, answer.clone()), answer)),
            Err(fault) => {
                self.engine.failed(session, &fault);
                Err(fault.before_commit())
            }
        }
    }

    /// Returns what a key that is remembered had lately.
    fn recall(&self, key: &[u8]) -> Option<Option<Vec<u8>>> {
        let is_recalled =
            self.access == Access::Read && self.engine.remembers.iter().any(|it| it == key);
        is_recalled.then(|| self.engine.remembered().get(key).cloned()).flatten()
    }
}

impl Transaction for PostgresTransaction<'_> {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        if let Some(value) = self.recall(key) {
            self.state.borrow_mut().assumed.push((key.to_vec(), value.clone()));
            return Ok(value);
        }
        let value = self.ask(Question::Keys(vec![key.to_vec()]))?.value(key);
        if self.engine.remembers.iter().any(|it| it == key) {
            self.engine.remembered().insert(key.to_vec(), value.clone());
        }
        Ok(value)
    }

    fn scan(&self, range: &KeyRange, limit: usize) -> Result<Vec<Entry>> {
        if range.is_empty() || limit == 0 {
            return Ok(Vec::new());
        }
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let question = Question::Range { range: range.clone(), limit, beside: Vec::new() };
        Ok(self.ask(question)?.range)
    }

    fn finish(self: Box<Self>) -> Result<()> {
        if !self.state.borrow().assumed.is_empty() {
            // Nothing was asked since: what was assumed has to be.
            self.ask(Question::Keys(Vec::new()))?;
        }
        let Self { engine, state, .. } = *self;
        match state.into_inner().phase {
            Phase::New => Ok(()),
            Phase::Asked(session, ..) => {
                engine.put_back(session);
                Ok(())
            }
            Phase::Open(mut session) => {
                let ended = session.wait(engine.settings.timeouts.answer, async |client, _| {
                    client.batch_execute(sql::COMMIT).await
                });
                match ended {
                    Ok(()) => {
                        engine.put_back(session);
                        Ok(())
                    }
                    Err(fault) => {
                        engine.failed(session, &fault);
                        Err(fault.before_commit())
                    }
                }
            }
            Phase::Failed(error) => Err(error),
        }
    }

    fn commit(self: Box<Self>, batch: &Batch) -> Result<()> {
        if self.access == Access::Read {
            return Err(Error::ReadOnly);
        }
        check_keys(batch)?;
        if batch.is_empty() {
            return self.finish();
        }
        let Self { engine, state, .. } = *self;
        let open = match state.into_inner().phase {
            Phase::New => None,
            Phase::Open(session) | Phase::Asked(session, ..) => Some(session),
            Phase::Failed(error) => return Err(error),
        };
        commit(engine, open, batch)?;
        // The next request need not find out that it has changed.
        for (key, value) in engine.remembers.iter().filter_map(|key| batch.get_key_value(key)) {
            engine.remembered().insert(key.clone(), value.clone());
        }
        Ok(())
    }
}

impl Answer {
    fn value(&self, key: &[u8]) -> Option<Vec<u8>> {
        let found = self.keys.iter().find(|(other, _)| other == key);
        found.map(|(_, value)| value.clone())
    }
}

/// Asks the database one thing.
async fn answer(
    client: &Client,
    statements: &Statements,
    question: &Question,
) -> Result<Answer, tokio_postgres::Error> {
    let mut answer = Answer::default();
    match question {
        Question::Keys(keys) => {
            for row in client.query(&statements.get, &[keys]).await? {
                answer.keys.push((row.try_get(0)?, row.try_get(1)?));
            }
        }
        Question::Range { range, limit, beside } if beside.is_empty() => {
            let rows = client.query(&statements.scan, &[&range.start, &range.end, limit]).await?;
            for row in rows {
                answer.range.push((row.try_get(0)?, row.try_get(1)?));
            }
        }
        Question::Range { range, limit, beside } => {
            let asked: [&(dyn tokio_postgres::types::ToSql + Sync); 4] =
                [&range.start, &range.end, limit, beside];
            for row in client.query(&statements.scan_and_get, &asked).await? {
                let entry = (row.try_get(1)?, row.try_get(2)?);
                let entries = if row.try_get(0)? { &mut answer.range } else { &mut answer.keys };
                entries.push(entry);
            }
            // SQL promises no order of what two questions were answered.
            answer.range.sort_unstable();
        }
    }
    Ok(answer)
}
