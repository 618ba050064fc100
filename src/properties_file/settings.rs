//! The value of every key of some tables, and where each came from.

use super::{Effect, Key, Notice, SettingsError, entries};

/// How alike an unknown key and a known one must be for the known one to be named, 0 to 1.
const LIKENESS_MIN: f64 = 0.8;

/// Who said what a key's value is; a later variant wins over an earlier one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// Nobody: the table, or what the machine suggests.
    Default,
    /// A properties file.
    File,
    /// The command line or the environment.
    Flag,
    /// An update while the process runs.
    Update,
}

/// A value that its key has accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    Bool(bool),
    Number(i64),
    Text(String),
}

impl std::fmt::Display for Value {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Bool(value) => write!(f, "{value}"),
            Self::Number(value) => write!(f, "{value}"),
            Self::Text(value) => f.write_str(value),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Setting {
    key: &'static Key,
    value: Value,
    origin: Origin,
    /// `file:line` or the flag; empty for a default.
    place: String,
}

/// The value of every key of the tables it was made with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    settings: Vec<Setting>,
}

/// What an update text did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Update {
    /// The settings after it.
    pub settings: Settings,
    /// Keys whose value is another one now.
    pub changed: Vec<&'static str>,
    /// What was not taken; everything else was.
    pub refused: Vec<Refusal>,
}

/// Why one line of an update was not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// A value that the key does not take, or that this version cannot keep.
    Value(SettingsError),
    /// The key is read at the start only.
    FixedAtStart(&'static str),
    /// Nobody knows this key. RocketMQ passes over it in silence.
    UnknownKey(Notice),
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Value(error) => write!(f, "{error}"),
            Self::FixedAtStart(key) => write!(f, "{key} is read at the start only: change it in the file and restart"),
            Self::UnknownKey(notice) => write!(f, "{notice}"),
        }
    }
}

impl Settings {
    /// Every key of `tables` at its default.
    #[must_use]
    pub fn new(tables: &[&'static [Key]]) -> Self {
        let settings = tables
            .iter()
            .flat_map(|table| table.iter())
            .map(|key| {
                let value = key.parse(key.default).expect("a test parses every default of every table");
                Setting { key, value, origin: Origin::Default, place: String::new() }
            })
            .collect();
        Self { settings }
    }

    /// The keys, in the order of the tables.
    pub fn keys(&self) -> impl Iterator<Item = &'static Key> + '_ {
        self.settings.iter().map(|setting| setting.key)
    }

    /// Sets `key` unless something that wins over `origin` has set it already. `place` is shown in errors.
    ///
    /// # Errors
    /// The value is none of this key's, or one that this version must refuse.
    pub fn set(&mut self, origin: Origin, place: &str, key: &str, text: &str) -> Result<(), SettingsError> {
        let index = self.index(key).unwrap_or_else(|| panic!("{key} stands in no table"));
        self.assign(index, origin, place, text)
    }

    /// Reads a properties file. A key that comes twice has its last value, as in Java.
    ///
    /// # Errors
    /// The first thing that is wrong, with file and line.
    pub fn read(&mut self, file: &str, text: &[u8]) -> Result<Vec<Notice>, SettingsError> {
        let mut notices = Vec::new();
        for entry in entries(file, text)? {
            let place = format!("{file}:{}", entry.line);
            match self.index(&entry.key) {
                Some(index) => self.assign(index, Origin::File, &place, &entry.value)?,
                None => notices.push(self.unknown(place, entry.key)),
            }
        }
        let named = |effect: Effect| -> Vec<&'static str> {
            let from_file = self.settings.iter().filter(|setting| setting.origin == Origin::File);
            from_file.filter(|setting| setting.key.effect == effect).map(|setting| setting.key.name).collect()
        };
        let (without_effect, later) = (named(Effect::None), named(Effect::Later));
        if !without_effect.is_empty() {
            notices.push(Notice::NoEffect { keys: without_effect });
        }
        if !later.is_empty() {
            notices.push(Notice::NotYet { keys: later });
        }
        Ok(notices)
    }

    /// Applies the body of an update request. What cannot be taken is refused line by line, the rest is taken.
    ///
    /// # Errors
    /// The text is no properties text.
    pub fn update(&self, text: &[u8]) -> Result<Update, SettingsError> {
        let mut update = Update { settings: self.clone(), changed: Vec::new(), refused: Vec::new() };
        for entry in entries("update", text)? {
            let place = format!("update:{}", entry.line);
            let Some(index) = self.index(&entry.key) else {
                update.refused.push(Refusal::UnknownKey(self.unknown(place, entry.key)));
                continue;
            };
            let key = self.settings.get(index).map(|setting| setting.key).expect("the index was found just now");
            let mut changed = update.settings.clone();
            match changed.assign(index, Origin::Update, &place, &entry.value) {
                Err(error) => update.refused.push(Refusal::Value(error)),
                Ok(()) if changed.same_value(&update.settings, index) => {}
                Ok(()) if !key.at_run_time => update.refused.push(Refusal::FixedAtStart(key.name)),
                Ok(()) => {
                    update.settings = changed;
                    update.changed.push(key.name);
                }
            }
        }
        Ok(update)
    }

    /// All keys that have a value, a line each: `key=value\n`.
    ///
    /// # Source
    /// `MixAll.properties2String` 4.9.7 (read), which leaves out keys whose value is null and escapes nothing. What
    /// would read back as something else is escaped here: a line break in a value could smuggle in another key.
    #[must_use]
    pub fn render(&self) -> String {
        self.lines(|_| true)
    }

    /// The same with the keys that RocketMQ calls important.
    #[must_use]
    pub fn render_important(&self) -> String {
        self.lines(|key| key.important)
    }

    /// Whether nobody but the table said what this key's value is.
    #[must_use]
    pub fn is_default(&self, key: &str) -> bool {
        self.setting(key).origin == Origin::Default
    }

    /// The value of a switch.
    ///
    /// # Panics
    /// The key stands in no table or is none. The same holds for the following ones: such a call is a mistake of the
    /// program, and making the default configuration meets them all.
    #[must_use]
    pub fn switch(&self, key: &str) -> bool {
        match self.setting(key).value {
            Value::Bool(value) => value,
            _ => panic!("{key} is no switch"),
        }
    }

    /// The value of a number, as the type that it is kept in.
    #[must_use]
    pub fn number<T: TryFrom<i64>>(&self, key: &str) -> T {
        match self.setting(key).value {
            Value::Number(value) => {
                T::try_from(value).unwrap_or_else(|_| panic!("{key}: its bounds are wider than its type"))
            }
            _ => panic!("{key} is no number"),
        }
    }

    /// A number of milliseconds.
    #[must_use]
    pub fn millis(&self, key: &str) -> std::time::Duration {
        std::time::Duration::from_millis(self.number(key))
    }

    /// A text or a word.
    #[must_use]
    pub fn text(&self, key: &str) -> &str {
        match &self.setting(key).value {
            Value::Text(value) => value,
            _ => panic!("{key} is no text"),
        }
    }

    /// A text, if it is set.
    #[must_use]
    pub fn optional_text(&self, key: &str) -> Option<&str> {
        Some(self.text(key)).filter(|text| !text.is_empty())
    }

    /// An error about a key whose value is well formed and still wrong, naming who set it.
    #[must_use]
    pub fn wrong(&self, key: &str, expected: &str) -> SettingsError {
        let setting = self.setting(key);
        SettingsError::Value {
            place: if setting.place.is_empty() { "default".into() } else { setting.place.clone() },
            key: setting.key.name,
            expected: expected.into(),
            found: setting.value.to_string(),
        }
    }

    fn index(&self, key: &str) -> Option<usize> {
        self.settings.iter().position(|setting| setting.key.name == key)
    }

    fn setting(&self, key: &str) -> &Setting {
        self.settings
            .iter()
            .find(|setting| setting.key.name == key)
            .unwrap_or_else(|| panic!("{key} stands in no table"))
    }

    fn same_value(&self, other: &Self, index: usize) -> bool {
        self.settings.get(index).map(|setting| &setting.value)
            == other.settings.get(index).map(|setting| &setting.value)
    }

    fn assign(&mut self, index: usize, origin: Origin, place: &str, text: &str) -> Result<(), SettingsError> {
        let setting = self.settings.get_mut(index).expect("indexes come from the same vector");
        let key = setting.key;
        let value = key.parse(text).ok_or_else(|| SettingsError::Value {
            place: place.into(),
            key: key.name,
            expected: key.expected(),
            found: text.into(),
        })?;
        if let Effect::Refused(reason) = key.effect
            && value.to_string() != key.default
        {
            return Err(SettingsError::Unsupported { place: place.into(), key: key.name, found: text.into(), reason });
        }
        if origin >= setting.origin {
            *setting = Setting { key, value, origin, place: place.into() };
        }
        Ok(())
    }

    fn unknown(&self, place: String, key: String) -> Notice {
        let likeness = |known: &'static Key| {
            // Names that differ in the case of letters only must win: `brokername` is the commonest slip.
            (known.name, strsim::jaro_winkler(&known.name.to_lowercase(), &key.to_lowercase()))
        };
        let nearest = self.keys().map(likeness).max_by(|left, right| left.1.total_cmp(&right.1));
        let nearest = nearest.filter(|(_, likeness)| *likeness >= LIKENESS_MIN).map(|(name, _)| name);
        Notice::UnknownKey { place, key, nearest }
    }

    fn lines(&self, wanted: impl Fn(&Key) -> bool) -> String {
        let mut text = String::new();
        for setting in self.settings.iter().filter(|setting| wanted(setting.key)) {
            let value = setting.value.to_string();
            if !value.is_empty() {
                let value = value.replace('\\', "\\\\").replace('\n', "\\n").replace('\r', "\\r");
                text.push_str(&format!("{}={value}\n", setting.key.name));
            }
        }
        text
    }
}
