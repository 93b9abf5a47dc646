//! A transaction that asks as little as it can: nothing before its first question, and that one
//! without a transaction block, since most of those that read ask nothing more.

use super::commit::commit;
use super::session::{Session, Statements};
use super::{Fault, Postgres, sql};
use crate::store::key::check_keys;
use crate::store::{Access, Batch, Error, KeyRange, Result, Transaction};
use futures_util::future::{OptionFuture, join3};
use std::cell::RefCell;
use std::collections::BTreeMap;
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
    /// What was asked for before it was needed.
    fetched: BTreeMap<Vec<u8>, Option<Vec<u8>>>,
    /// The scan that was asked for before it was needed, and what it found.
    scanned: Option<(KeyRange, i64, Vec<Entry>)>,
    /// The keys that must be new.
    new: Vec<Vec<u8>>,
}

enum Phase {
    /// Nothing was asked.
    New,
    /// One thing was asked, outside of any block.
    Asked(Box<Session>, Question, Answer),
    /// A block is open.
    Open(Block),
    /// It has failed, and nothing more can be asked.
    Failed(Error),
}

/// The value that a key had lately, if it had one.
struct Remembered(Option<Vec<u8>>);

/// What is asked in one statement.
enum Question {
    Keys(Vec<Vec<u8>>),
    Range { range: KeyRange, limit: i64, beside: Vec<Vec<u8>> },
    Count { range: KeyRange, max: i64 },
}

/// The entries of a range, how many they are, and those of single keys.
#[derive(Clone, Default, Eq, PartialEq)]
struct Answer {
    count: i64,
    range: Vec<Entry>,
    keys: Vec<Entry>,
}

impl<'a> PostgresTransaction<'a> {
    pub(super) fn new(engine: &'a Postgres, access: Access) -> Self {
        let state = State {
            phase: Phase::New,
            assumed: Vec::new(),
            fetched: BTreeMap::new(),
            scanned: None,
            new: Vec::new(),
        };
        Self { engine, access, state: RefCell::new(state) }
    }

    /// Asks for keys, or a range, and for what was only assumed so far.
    fn ask(&self, mut question: Question) -> Result<Answer> {
        let mut state = self.state.borrow_mut();
        let assumed = match &mut question {
            Question::Keys(keys) | Question::Range { beside: keys, .. } => {
                let assumed = mem::take(&mut state.assumed);
                keys.extend(assumed.iter().map(|(key, _)| key.clone()));
                assumed
            }
            // The next question asks.
            Question::Count { .. } => Vec::new(),
        };
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
        let block = match phase {
            Phase::Failed(error) => return Err(error),
            Phase::New if self.access == Access::Read => return self.put_alone(question),
            Phase::New => {
                let session = self.engine.session().map_err(Fault::before_commit)?;
                Block::open(session, sql::BEGIN_WRITING, None, &question)
            }
            // What was asked outside of the block is asked again inside: if it is still so, both
            // questions were answered of one state.
            Phase::Asked(session, first, answered) => {
                Block::open(session, sql::BEGIN_READING, Some((&first, &answered)), &question)
            }
            Phase::Open(block) => block.ask(&question),
        };
        match block {
            Ok((block, answer)) => Ok((Phase::Open(block), answer)),
            Err((session, fault)) => Err(self.engine.failed(session, fault)),
        }
    }

    /// Puts the first question of a transaction that reads.
    fn put_alone(&self, question: Question) -> Result<(Phase, Answer)> {
        let mut session = self.engine.session().map_err(Fault::before_commit)?;
        let limit = session.timeouts.answer;
        let answered = session
            .wait(limit, async |client, statements| answer(client, statements, &question).await);
        match answered {
            Ok(answer) => Ok((Phase::Asked(session, question, answer.clone()), answer)),
            Err(fault) => Err(self.engine.failed(session, fault)),
        }
    }

    /// Returns what a key that is remembered had lately.
    fn recall(&self, key: &[u8]) -> Option<Remembered> {
        let is_recalled =
            self.access == Access::Read && self.engine.remembers.iter().any(|it| it == key);
        is_recalled.then(|| self.engine.remembered().get(key).cloned()).flatten().map(Remembered)
    }
}

impl Transaction for PostgresTransaction<'_> {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        if let Some(Remembered(value)) = self.recall(key) {
            self.state.borrow_mut().assumed.push((key.to_vec(), value.clone()));
            return Ok(value);
        }
        if let Some(value) = self.state.borrow().fetched.get(key) {
            return Ok(value.clone());
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
        if let Some((scanned, of, found)) = &self.state.borrow().scanned
            && (scanned, *of) == (range, limit)
        {
            return Ok(found.clone());
        }
        let question = Question::Range { range: range.clone(), limit, beside: Vec::new() };
        Ok(self.ask(question)?.range)
    }

    fn count(&self, range: &KeyRange, max: usize) -> Result<usize> {
        if range.is_empty() || max == 0 {
            return Ok(0);
        }
        let max = i64::try_from(max).unwrap_or(i64::MAX);
        let count = self.ask(Question::Count { range: range.clone(), max })?.count;
        Ok(usize::try_from(count).unwrap_or_default())
    }

    fn fetch(&self, mut keys: Vec<Vec<u8>>) -> Result<bool> {
        keys.sort_unstable();
        keys.dedup();
        keys.retain(|key| !self.state.borrow().fetched.contains_key(key));
        if keys.is_empty() {
            return Ok(true);
        }
        let answer = self.ask(Question::Keys(keys.clone()))?;
        self.state.borrow_mut().keep(keys, answer.keys);
        Ok(true)
    }

    fn fetch_beside(&self, keys: Vec<Vec<u8>>, range: &KeyRange, limit: usize) -> Result<()> {
        if range.is_empty() || limit == 0 {
            return self.fetch(keys).map(drop);
        }
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let question = Question::Range { range: range.clone(), limit, beside: keys.clone() };
        let answer = self.ask(question)?;
        let mut state = self.state.borrow_mut();
        state.keep(keys, answer.keys);
        state.scanned = Some((range.clone(), limit, answer.range));
        Ok(())
    }

    fn must_be_new(&self, key: &[u8]) -> bool {
        self.state.borrow_mut().new.push(key.to_vec());
        true
    }

    fn finish(self: Box<Self>) -> Result<()> {
        if !matches!(self.state.borrow().phase, Phase::Failed(_))
            && !self.state.borrow().assumed.is_empty()
        {
            // Nothing has asked for what was assumed.
            self.ask(Question::Keys(Vec::new()))?;
        }
        let Self { engine, state, .. } = *self;
        match state.into_inner().phase {
            Phase::New => Ok(()),
            Phase::Asked(session, ..) => {
                engine.put_back(session);
                Ok(())
            }
            Phase::Open(block) => match block.end() {
                Ok(session) => {
                    engine.put_back(session);
                    Ok(())
                }
                Err((session, fault)) => Err(engine.failed(session, fault)),
            },
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
        let State { phase, new, .. } = state.into_inner();
        let open = match phase {
            Phase::New => None,
            Phase::Open(block) => Some(block),
            // Only what reads asks outside of a block.
            Phase::Asked(..) => return Err(Error::ReadOnly),
            Phase::Failed(error) => return Err(error),
        };
        commit(engine, open, batch, &new)?;
        // The next request need not find out that it has changed.
        for (key, value) in engine.remembers.iter().filter_map(|key| batch.get_key_value(key)) {
            engine.remembered().insert(key.clone(), value.clone());
        }
        Ok(())
    }
}

impl State {
    /// Keeps what was found of keys that will be asked for.
    fn keep(&mut self, keys: Vec<Vec<u8>>, found: Vec<Entry>) {
        let mut found: BTreeMap<_, _> = found.into_iter().collect();
        self.fetched.extend(keys.into_iter().map(|key| {
            let value = found.remove(&key);
            (key, value)
        }));
    }
}

/// A session with an open block, which nobody else can get before the block has ended.
pub(super) struct Block(Box<Session>);

/// What a block answers, or the session with what it met.
type InBlock<T> = std::result::Result<T, (Box<Session>, Fault)>;

impl Block {
    /// Opens a block that nothing was asked in.
    pub(super) fn begin(mut session: Box<Session>) -> InBlock<Self> {
        let limit = session.timeouts.answer;
        let begun =
            session.wait(limit, async |client, _| client.batch_execute(sql::BEGIN_WRITING).await);
        match begun {
            Ok(()) => Ok(Self(session)),
            Err(fault) => Err((session, fault)),
        }
    }

    /// Opens a block and asks in it, in one round trip; before that what was asked outside of it, which
    /// must be answered as it was there.
    fn open(
        mut session: Box<Session>,
        statement: &str,
        before: Option<(&Question, &Answer)>,
        question: &Question,
    ) -> InBlock<(Self, Answer)> {
        let limit = session.timeouts.answer;
        let answered = session.wait(limit, async |client, statements| {
            let first = before.map(|(first, _)| answer(client, statements, first));
            let asked = answer(client, statements, question);
            let begin = client.batch_execute(statement);
            let (done, first, asked) = join3(begin, OptionFuture::from(first), asked).await;
            done?;
            Ok((first.transpose()?, asked?))
        });
        match answered {
            Ok((first, answer)) if first.as_ref() == before.map(|(_, answered)| answered) => {
                Ok((Self(session), answer))
            }
            Ok(_) => {
                let changed = Fault::Conflict("what was read first has changed".to_owned());
                Err((session, changed))
            }
            Err(fault) => Err((session, fault)),
        }
    }

    fn ask(mut self, question: &Question) -> InBlock<(Self, Answer)> {
        let limit = self.0.timeouts.answer;
        let answered = self
            .0
            .wait(limit, async |client, statements| answer(client, statements, question).await);
        match answered {
            Ok(answer) => Ok((self, answer)),
            Err(fault) => Err((self.0, fault)),
        }
    }

    /// Ends a block in which nothing was written.
    fn end(mut self) -> InBlock<Box<Session>> {
        let limit = self.0.timeouts.answer;
        let ended = self.0.wait(limit, async |client, _| client.batch_execute(sql::COMMIT).await);
        match ended {
            Ok(()) => Ok(self.0),
            Err(fault) => Err((self.0, fault)),
        }
    }

    /// Hands the session to whoever ends the block with the next that it sends.
    pub(super) fn into_session(self) -> Box<Session> {
        self.0
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
        Question::Count { range, max } => {
            let row = client.query_one(&statements.count, &[&range.start, &range.end, max]).await?;
            answer.count = row.try_get(0)?;
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
