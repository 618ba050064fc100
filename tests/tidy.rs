//! The shape of the source, held by reading it as text: what no compiler and no lint looks at.
//!
//! A rule that makes a page worse is changed here, in a commit that says why. The lists of long functions and files
//! are ratchets: entries go, none come.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// Which modules a module of the top level may import: those below it.
const ARROWS: &[(&str, &[&str])] = &[
    ("time", &[]),
    ("properties_file", &[]),
    ("protocol", &["time"]),
    ("store", &["protocol", "time"]),
    ("broker", &["properties_file", "store", "protocol", "time"]),
    ("namesrv", &["properties_file", "store", "protocol", "time"]),
    ("net", &["store", "protocol", "time"]),
    // The broker is a client of its name servers.
    ("actors", &["client", "net", "broker", "namesrv", "properties_file", "store", "protocol", "time"]),
    ("client", &["net", "broker", "namesrv", "store", "protocol", "time"]),
    ("admin", &["client", "net", "broker", "namesrv", "store", "protocol", "time"]),
    ("cli", &["actors", "admin", "client", "net", "broker", "namesrv", "properties_file", "store", "protocol", "time"]),
];

const FUNCTION_LINES_MAX: usize = 70;
/// Functions that are longer than that, with the length that they may have.
const LONG_FUNCTIONS: &[(&str, usize)] = &[];

const FILE_LINES_MAX: usize = 450;
/// Files that are longer than that, tests not counted, with the length that they may have.
const LONG_FILES: &[(&str, usize)] = &[];

/// One file under `src/`.
struct Source {
    /// Path under `src/`, with slashes.
    path: String,
    /// Its lines up to its tests, comments blanked.
    code: Vec<String>,
}

impl Source {
    /// The module of the top level that it belongs to.
    fn module(&self) -> &str {
        self.path.split(['/', '.']).next().unwrap()
    }

    fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.code.iter().enumerate().map(|(index, line)| (index + 1, line.as_str()))
    }
}

/// Every file under `src/` that is not made of tests alone.
fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut sources = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
            let is_test = name.split('/').any(|part| part == "tests" || part == "tests.rs");
            if path.is_dir() {
                folders.push(path);
            } else if name.ends_with(".rs") && !is_test {
                sources.push(Source { path: name, code: code_of(&fs::read_to_string(path).unwrap()) });
            }
        }
    }
    assert!(sources.len() > 50, "the source is not where it was");
    sources.sort_by(|left, right| left.path.cmp(&right.path));
    sources
}

/// The lines before the tests at the foot of a file, with comments blanked.
fn code_of(text: &str) -> Vec<String> {
    let lines: Vec<&str> = text.lines().collect();
    let opens_tests = |index: usize| {
        lines[index] == "#[cfg(test)]"
            && lines[index + 1..].iter().find(|line| !line.starts_with('#')).is_some_and(|line| line.ends_with('{'))
    };
    let end = (0..lines.len()).find(|index| opens_tests(*index)).unwrap_or(lines.len());
    let code = |line: &&str| if line.trim_start().starts_with("//") { String::new() } else { (*line).to_owned() };
    lines[..end].iter().map(code).collect()
}

/// Fails with every finding at once, each with its place.
#[track_caller]
fn nothing_in(findings: Vec<String>, rule: &str) {
    assert!(findings.is_empty(), "{rule}:\n  {}", findings.join("\n  "));
}

/// Where lines outside `exempt` hold one of `words`.
fn lines_with(words: &[&str], exempt: &[&str]) -> Vec<String> {
    let mut findings = Vec::new();
    for source in sources().iter().filter(|source| !exempt.contains(&source.path.as_str())) {
        for (number, line) in source.lines() {
            if words.iter().any(|word| line.contains(word)) {
                findings.push(format!("src/{}:{number}: {}", source.path, line.trim()));
            }
        }
    }
    findings
}

#[test]
fn imports_point_downwards() {
    let mut findings = Vec::new();
    for source in sources() {
        let Some((module, below)) = ARROWS.iter().find(|(module, _)| *module == source.module()) else {
            assert!(["lib", "main"].contains(&source.module()), "src/{} stands in no arrow", source.path);
            continue;
        };
        for (number, line) in source.lines() {
            for reached in line.split("crate::").skip(1) {
                let name: String = reached.chars().take_while(|c| c.is_ascii_lowercase() || *c == '_').collect();
                if name != *module && !below.contains(&name.as_str()) {
                    findings.push(format!("src/{}:{number}: {module} imports crate::{reached}", source.path));
                }
            }
        }
    }
    nothing_in(findings, "a module imports from those below it only, one line per module");
}

#[test]
fn only_the_clock_reads_the_time() {
    // The load generator takes one deadline from the runtime's own timer, on which it waits.
    let exempt = ["time.rs", "cli/bench/run.rs"];
    let findings = lines_with(&["Instant::now", "SystemTime::now", "Local::now", "Utc::now"], &exempt);
    nothing_in(findings, "time is an argument: take a Clock");
}

#[test]
fn unsafe_stays_in_one_file() {
    let mut findings = lines_with(&["unsafe "], &["store/segment.rs"]);
    findings.retain(|finding| !finding.contains("unsafe_code"));
    nothing_in(findings, "unsafe is for store/segment.rs");
}

#[test]
fn the_pure_parts_neither_wait_nor_act() {
    let mut findings = lines_with(&["actix", "tokio::", "std::fs", "std::net::Tcp", "async fn", ".await"], &[]);
    let pure = ["time", "properties_file", "protocol", "broker", "namesrv"];
    findings.retain(|finding| {
        pure.iter().any(|module| {
            finding.strip_prefix("src/").unwrap().strip_prefix(module).is_some_and(|rest| rest.starts_with(['/', '.']))
        })
    });
    nothing_in(findings, "files, sockets and waiting are for the layers above");
}

#[test]
fn nothing_is_left_for_later() {
    nothing_in(
        lines_with(&["todo!(", "unimplemented!(", "dbg!("], &[]),
        "a half-done thing has an issue, not a place here",
    );
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut findings = Vec::new();
    for source in sources() {
        let text = fs::read_to_string(root.join(&source.path)).unwrap();
        let notes = text.lines().filter(|line| line.contains("TODO") || line.contains("FIXME"));
        findings.extend(notes.map(|line| format!("src/{}: {line}", source.path)));
    }
    nothing_in(findings, "a note for later is an issue");
}

#[test]
fn nothing_unwraps() {
    nothing_in(lines_with(&[".unwrap()"], &[]), "say with expect(\"…\") why it cannot fail, or return an error");
}

#[test]
fn names_are_of_the_domain_not_of_java() {
    let mut findings = Vec::new();
    for source in sources() {
        for (number, line) in source.lines() {
            let words = line.split(|c: char| !c.is_alphanumeric() && c != '_').collect::<Vec<_>>();
            for pair in words.windows(2) {
                let [keyword, name] = pair else { continue };
                let furniture = ["Impl", "Manager", "Helper", "Util", "Utils", "Wrapper"];
                let is_type = ["struct", "enum", "trait"].contains(keyword);
                if is_type && furniture.iter().any(|end| name.ends_with(end))
                    || *keyword == "fn" && name.starts_with("get_")
                {
                    findings.push(format!("src/{}:{number}: {keyword} {name}", source.path));
                }
            }
        }
    }
    nothing_in(findings, "a name says what it is");
}

#[test]
fn every_actor_stands_in_the_architecture() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let drawn = fs::read_to_string(root.join("ARCHITECTURE.md")).unwrap();
    let words: BTreeSet<&str> = drawn.split(|c: char| !c.is_alphanumeric()).collect();
    let mut findings = Vec::new();
    for source in sources().iter().filter(|source| source.path.ends_with("_actor.rs")) {
        let names: Vec<&str> = source
            .lines()
            .filter_map(|(_, line)| line.strip_prefix("pub struct "))
            .filter_map(|line| line.split(|c: char| !c.is_alphanumeric()).next())
            .filter(|name| name.ends_with("Actor"))
            .collect();
        if names.is_empty() || !names.iter().all(|name| words.contains(name)) {
            findings.push(format!("src/{}: {names:?}", source.path));
        }
    }
    nothing_in(findings, "an actor's file defines one, and ARCHITECTURE.md names it");
}

/// Whoever looks for what bounds a mailbox finds all that comes into it.
#[test]
fn the_table_of_mailboxes_names_every_message() {
    let table = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/actors/mod.rs")).unwrap();
    let mut missing = Vec::new();
    for source in sources().iter().filter(|source| source.module() == "actors") {
        for (number, line) in source.lines() {
            let Some((message, actor)) = line.strip_prefix("impl Handler<").and_then(|rest| rest.split_once("> for "))
            else {
                continue;
            };
            let actor = actor.trim_end_matches(" {");
            let words = |text: &str| -> Vec<String> {
                text.split(|c: char| !c.is_alphanumeric()).map(ToOwned::to_owned).collect()
            };
            let is_named = table.lines().filter_map(|line| line.strip_prefix("//! | ")).any(|row| {
                let mut cells = row.split(" | ").map(words);
                cells.next().is_some_and(|actors| actors.iter().any(|known| known == actor))
                    && cells.next().is_some_and(|messages| messages.iter().any(|known| known == message))
            });
            if !is_named {
                missing.push(format!("{}:{number}: {actor} takes {message}", source.path));
            }
        }
    }
    nothing_in(missing, "not in the table of src/actors/mod.rs");
}

/// Whoever looks for how a type of the Rust client is used finds an example that runs: on the type itself, or on one that it
/// names and that shows it. The messages of actors are shown with those. Whatever is `pub` can be reached: `unreachable_pub`
/// sees to that.
#[test]
fn every_type_of_the_client_is_shown_in_an_example() {
    let types: Vec<Type> = sources().iter().flat_map(types_of_the_client).collect();
    assert!(types.len() > 80, "the client's types are not where they were");
    let shows = |name: &str, shown: &str| {
        let words = |docs: &str| docs.split(|c: char| !c.is_alphanumeric()).any(|word| word == shown);
        types.iter().any(|other| other.name == name && other.has_example() && words(&other.docs))
    };
    let is_shown = |own: &&Type| own.has_example() || own.names().is_some_and(|other| shows(other, &own.name));
    let missing = types.iter().filter(|own| !is_shown(own));
    nothing_in(
        missing.map(|own| format!("{}: {}", own.place, own.name)).collect(),
        "a type has an example that runs, or says `See the example of` a type whose example has it",
    );
}

/// A type, and what is written above it.
struct Type {
    place: String,
    name: String,
    docs: String,
}

impl Type {
    /// Whether there is an example, and one that is run.
    fn has_example(&self) -> bool {
        self.docs.contains("/// # Example\n/// ```\n")
    }

    /// The type that it refers to for an example.
    fn names(&self) -> Option<&str> {
        self.docs.split_once("See the example of [`")?.1.split('`').next()
    }
}

/// The public types of a file of the client that are no messages of actors.
fn types_of_the_client(source: &Source) -> Vec<Type> {
    if !["client", "admin"].contains(&source.module()) {
        return Vec::new();
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(&source.path);
    let text = fs::read_to_string(path).unwrap();
    let lines: Vec<&str> = text.lines().take(source.code.len()).collect();
    let mut types = Vec::new();
    for (number, line) in lines.iter().enumerate() {
        let kinds = ["pub struct ", "pub enum ", "pub trait "];
        let Some(name) = kinds.iter().find_map(|kind| line.strip_prefix(kind)) else { continue };
        let name = name.split(|c: char| !c.is_alphanumeric()).next().unwrap().to_owned();
        let is_above = |line: &&&str| line.starts_with("///") || line.starts_with("#[");
        let mut above: Vec<&str> = lines[..number].iter().rev().take_while(is_above).copied().collect();
        above.reverse();
        if !above.iter().any(|line| line.starts_with("#[rtype(")) {
            types.push(Type { place: format!("src/{}:{}", source.path, number + 1), name, docs: above.join("\n") });
        }
    }
    types
}

#[test]
fn functions_fit_on_a_screen() {
    let found = sources().iter().flat_map(functions).filter(|(_, lines)| *lines > FUNCTION_LINES_MAX).collect();
    ratchet(found, LONG_FUNCTIONS);
}

#[test]
fn files_hold_one_idea() {
    let lines = |source: &Source| (source.path.clone(), source.code.len());
    let found = sources().iter().map(lines).filter(|(_, lines)| *lines > FILE_LINES_MAX).collect();
    ratchet(found, LONG_FILES);
}

/// Compares what is too long with what may be, both ways.
#[track_caller]
fn ratchet(found: Vec<(String, usize)>, allowed: &[(&str, usize)]) {
    let allowance = |name: &str| allowed.iter().find(|(known, _)| *known == name).map_or(0, |(_, lines)| *lines);
    let grown = found.iter().filter(|(name, lines)| *lines > allowance(name));
    nothing_in(
        grown.map(|(name, lines)| format!("{name}: {lines} lines")).collect(),
        "too long, or longer than before",
    );
    let shrunk = allowed.iter().filter(|(name, lines)| !found.iter().any(|(known, now)| known == name && now == lines));
    nothing_in(shrunk.map(|(name, _)| (*name).to_owned()).collect(), "shorter than its entry in the list: lower that");
}

/// The functions of a file and the lines each takes, from its `fn` to the closing brace that rustfmt puts under it.
fn functions(source: &Source) -> Vec<(String, usize)> {
    let mut functions = Vec::new();
    for (number, line) in source.lines() {
        let Some((before, after)) = line.split_once("fn ") else { continue };
        let is_definition = before.split_whitespace().all(|word| {
            ["async", "const", "unsafe", "extern"].contains(&word) || word.starts_with("pub") || word.ends_with(')')
        });
        if !is_definition || line.ends_with([';', '}']) {
            continue;
        }
        let indent = " ".repeat(line.len() - line.trim_start().len());
        // A method that a trait only declares ends with a semicolon under its arguments.
        let closes = |line: &str| {
            line.strip_prefix(&indent).is_some_and(|rest| rest == "}" || rest.starts_with(')') && rest.ends_with(';'))
        };
        if let Some((end, _)) = source.lines().skip(number).find(|(_, line)| closes(line)) {
            let name = after.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap();
            functions.push((format!("{}::{name}", source.path), end - number + 1));
        }
    }
    functions
}
