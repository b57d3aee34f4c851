//! `mortise trace search`: which calls or events a filter selects. The index says which; what is shown is the log's.

use super::{event_value, print_event};
use crate::args::{CountBy, Format, Global, NEGATED, TraceSearch};
use crate::commands::check::excerpt;
use crate::failure::{Failure, Outcome};
use crate::output::Output;
use crate::place::Place;
use crate::timeline::{Row, Timeline, date_time};
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use store::clock::Clock;
use store::search::{Counts, Facet, Page, Space};
use store::{Filter, SearchError, SearchIndex};
use vocab::event::Kind;
use vocab::shown::{line, name};
use vocab::{Event, Exit};

/// How often it is said how far the log was read, where that takes long.
const SAY: Duration = Duration::from_secs(2);

/// Runs the command.
pub(super) fn run(output: &Output, global: &Global, args: &TraceSearch) -> Outcome {
    let filter = parse(output, &args.filter)?;
    let (home, log) = home(global, args.log.as_deref())?;
    let mut index = open(home.dir(), &log)?;
    catch_up(output, &mut index)?;
    let space = if args.events { Space::Events } else { Space::Calls };
    let is_any = match args.count_by {
        Some(by) => {
            let counts = index.count(&filter, space, facet(by))?;
            count(output, by, &counts);
            counts.total > 0
        }
        None => {
            let limit = usize::try_from(args.limit).unwrap_or(usize::MAX);
            let page = index.search(&filter, space, limit, args.after)?;
            match space {
                Space::Events => print_events(output, &page),
                Space::Calls => print_calls(output, &page),
            }
            if let Some(next) = page.next {
                output.message(format!("there are more: --after {next}"));
            }
            !page.hits.is_empty()
        }
    };
    if let Some(why) = index.take_rebuilt() {
        output.message(format!("note: the search index was made anew: {why}"));
    }
    if is_any {
        return Ok(Exit::Ok);
    }
    nothing(output, &mut index, &filter, space)?;
    Ok(Exit::Nothing)
}

fn parse(output: &Output, words: &[String]) -> Result<Filter, Failure> {
    let term = |word: &String| match word.strip_prefix(NEGATED) {
        Some(rest) => format!("-{rest}"),
        None => word.clone(),
    };
    let text = words.iter().map(term).collect::<Vec<_>>().join(" ");
    Filter::parse(&text, Clock::system().now()).map_err(|complaints| {
        for found in &complaints {
            output.message(excerpt::render(found, Some(&text)).trim_end());
        }
        Failure::new(Exit::Usage, "the filter is not understood")
            .with_help("`mortise trace search --help` lists the keys, `mortise explain CODE` says more")
    })
}

/// Where the index lies.
enum Home {
    /// Beside the log of this project, and kept.
    Project(PathBuf),
    /// Of another log, which may be evidence that nobody is to write to: for this search, and removed with this value.
    Passing(tempfile::TempDir),
}

impl Home {
    fn dir(&self) -> &Path {
        match self {
            Self::Project(dir) => dir,
            Self::Passing(dir) => dir.path(),
        }
    }
}

/// Where the index lies, and the log it is of.
fn home(global: &Global, chosen: Option<&Path>) -> Result<(Home, PathBuf), Failure> {
    let Some(chosen) = chosen else {
        let place = Place::find(global)?;
        return Ok((Home::Project(place.state.join("search")), place.log()));
    };
    // A project need not be there to look at a log that was taken elsewhere.
    let own = Place::find(global).ok().filter(|place| {
        let (own, chosen) = (std::fs::canonicalize(place.log()), std::fs::canonicalize(chosen));
        own.ok().zip(chosen.ok()).is_some_and(|(own, chosen)| own == chosen)
    });
    if let Some(place) = own {
        return Ok((Home::Project(place.state.join("search")), place.log()));
    }
    let passing = tempfile::Builder::new().prefix("mortise-search-").tempdir().map_err(|error| {
        let text =
            format!("cannot make a folder for the search index in `{}`: {error}", std::env::temp_dir().display());
        Failure::new(Exit::Environment, text).with_help("set `TMPDIR` to a folder with some room")
    })?;
    Ok((Home::Passing(passing), chosen.to_owned()))
}

fn open(dir: &Path, log: &Path) -> Result<SearchIndex, Failure> {
    Ok(SearchIndex::new(dir, log)?)
}

impl From<SearchError> for Failure {
    fn from(error: SearchError) -> Self {
        let failure = Self::new(Exit::Environment, error.to_string());
        match error {
            SearchError::Log(error) => error.into(),
            SearchError::Busy => {
                failure.with_help("another search is reading the log into it; try again when it is done")
            }
            SearchError::Record(_) => Self::verification(failure.message),
            SearchError::Io { path, source } => Self::unreadable(&path, &source),
            SearchError::Index(_) => failure,
        }
    }
}

/// Reads what the log has got since the last search.
fn catch_up(output: &Output, index: &mut SearchIndex) -> Result<(), Failure> {
    let mut said = Instant::now();
    let mut say = |events: u64| {
        if said.elapsed() >= SAY {
            output.message(format!("reading the log into the search index: {events} events"));
            said = Instant::now();
        }
    };
    index.catch_up(&mut say)?;
    Ok(())
}

fn print_calls(output: &Output, page: &Page) {
    let rows = rows(page);
    match output.format {
        Format::Ndjson => rows.iter().for_each(|row| output.json(row)),
        Format::Json => output.json(&json!({ "calls": rows, "next": page.next })),
        Format::Human | Format::Junit => rows.iter().for_each(|row| output.line(row.render_dated(output))),
    }
}

/// The calls of a page, each told by its own events.
fn rows(page: &Page) -> Vec<Row> {
    let records = page.hits.iter().flat_map(|hit| &hit.records);
    // In the order of the log, as whoever reads it from the beginning would see them.
    let events: BTreeMap<u64, Event> =
        records.filter_map(|record| Some((record.index, Event::from_bytes(&record.bytes).ok()?))).collect();
    let mut timeline = Timeline::default();
    let mut asked: HashMap<&str, bool> = HashMap::new();
    for (index, event) in &events {
        timeline.read(*index, event);
        if let (Some(call), Some(_)) = (event.call.as_deref(), event.approval.as_deref()) {
            *asked.entry(call).or_default() |= event.kind == Kind::ApprovalRequested;
        }
    }
    let mut rows: HashMap<&str, &Row> = timeline.rows().iter().map(|row| (row.call.as_str(), row)).collect();
    let found = page.hits.iter().filter_map(|hit| rows.remove(hit.call.as_deref()?)).cloned();
    found
        .map(|row| {
            // It waits for an approval that another call has requested, which need not be on this page.
            let repeats = row.repeats || asked.get(row.call.as_str()) == Some(&false);
            Row { repeats, ..row }
        })
        .collect()
}

fn print_events(output: &Output, page: &Page) {
    let records = page.hits.iter().flat_map(|hit| &hit.records);
    let events = records.filter_map(|record| Some((record.index, Event::from_bytes(&record.bytes).ok()?)));
    if output.format == Format::Json {
        let events: Vec<Value> = events.map(|(index, event)| event_value(index, &event)).collect();
        output.json(&json!({ "events": events, "next": page.next }));
        return;
    }
    for (index, event) in events {
        print_event(output, index, &event, &date_time(event.t));
    }
}

fn facet(by: CountBy) -> Facet {
    match by {
        CountBy::Verdict => Facet::Verdict,
        CountBy::Agent => Facet::Agent,
        CountBy::Tool => Facet::Tool,
        CountBy::Rule => Facet::Rule,
        CountBy::Outcome => Facet::Outcome,
    }
}

fn count(output: &Output, by: CountBy, counts: &Counts) {
    let by = match by {
        CountBy::Verdict => "verdict",
        CountBy::Agent => "agent",
        CountBy::Tool => "tool",
        CountBy::Rule => "rule",
        CountBy::Outcome => "outcome",
    };
    let line = |value: &str, number: u64| json!({ "value": value, "count": number });
    let lines = counts.values.iter().map(|(value, number)| line(value, *number));
    match output.format {
        Format::Ndjson => lines.for_each(|line| output.json(&line)),
        Format::Json => output.json(&json!({
            "by": by, "counts": lines.collect::<Vec<_>>(), "without": counts.without, "total": counts.total,
        })),
        Format::Human | Format::Junit => {
            let width = counts.total.to_string().len().max(6);
            for (value, number) in &counts.values {
                output.line(format!("{number:>width$}  {}", name(value)));
            }
            if counts.without > 0 {
                output.line(format!("{:>width$}  {}", counts.without, output.dim(&format!("no {by}"))));
            }
        }
    }
}

/// Says that nothing was found, and where a term alone is why.
fn nothing(output: &Output, index: &mut SearchIndex, filter: &Filter, space: Space) -> Result<(), Failure> {
    output.message(match space {
        Space::Events => "no event matches",
        Space::Calls => "no call matches",
    });
    for (term, near) in index.unknown(filter, space)? {
        // The very value is recorded, of events that belong to no call.
        if space == Space::Calls && near.iter().any(|value| term.ends_with(&format!(":{value}"))) {
            output.message(format!("  `{}` is said of events that are none of a call: add `--events`", line(&term)));
            continue;
        }
        let near: Vec<String> = near.iter().map(|value| format!("`{}`", line(value))).collect();
        let meant = if near.is_empty() { String::new() } else { format!("; did you mean {}?", near.join(" or ")) };
        output.message(format!("  nothing recorded fits `{}`{meant}", line(&term)));
    }
    Ok(())
}
