//! Random damage that a seed repeats: to bytes, to text, and to JSON.

use serde_json::{Map, Value};

/// Random numbers (splitmix64): the same for the same seed and place, on every machine.
pub(crate) struct Dice(u64);

impl Dice {
    /// For input `k` of a kind.
    pub(crate) fn of(kind: &str, k: u64) -> Self {
        let seed: u64 = variable("DAMAGE_SEED").unwrap_or(0);
        let name = kind.bytes().fold(seed, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3).rotate_left(17)
        });
        let mut dice = Self(name ^ k.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        dice.next();
        dice
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `n`; 0 for `n` of 0.
    pub(crate) fn below(&mut self, n: usize) -> usize {
        (self.next() % n.max(1) as u64) as usize
    }

    pub(crate) fn one_of<T: Clone>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())].clone()
    }

    /// Flips, fills, cuts, doubles, moves, truncates, or writes sizes that cannot be: once to three
    /// times.
    pub(crate) fn damage(&mut self, bytes: &mut Vec<u8>) {
        for _ in 0..=self.below(3) {
            let n = bytes.len();
            if n < 16 {
                return;
            }
            let (place, other) = (self.below(n), self.below(n));
            let length = 1 + self.below(64.min(n - place.max(other)));
            match self.below(9) {
                0 => bytes[place] ^= 1 << self.below(8),
                1 => bytes[place] = self.next() as u8,
                2 => bytes[place..place + length].fill(self.one_of(&[0x00, 0xff, 0x7f, 0x20])),
                3 => bytes.truncate(place),
                4 => drop(bytes.drain(place..place + length)),
                5 => bytes.copy_within(other..other + length, place),
                6 => {
                    let block = bytes[place..place + length].repeat(1 + self.below(40));
                    bytes.splice(place..place, block);
                }
                7 => {
                    let sizes =
                        [u64::MAX, u64::MAX >> 1, 1 << 40, 1 << 31, n as u64, 0, 1, 1 << 62];
                    let size = self.one_of(&sizes).to_le_bytes();
                    let width = self.one_of(&[2, 4, 8]).min(n - place);
                    bytes[place..place + width].copy_from_slice(&size[..width]);
                }
                _ => swap_addresses(self, bytes),
            }
        }
    }

    /// As [`Dice::damage`], or lines and fields of a table.
    pub(crate) fn damage_text(&mut self, text: &str) -> Vec<u8> {
        const WORDS: [&str; 20] = [
            "",
            "nan",
            "NaN",
            "inf",
            "-inf",
            "1e999",
            "1e308",
            "-1",
            "0",
            "1e-320",
            "\"",
            "\"a\"\"b",
            "a\nb",
            "\t",
            ",",
            "\0",
            "ü\u{202e}",
            "18446744073709551616",
            "#",
            "true",
        ];
        if self.below(3) == 0 {
            let mut bytes = text.as_bytes().to_vec();
            self.damage(&mut bytes);
            return bytes;
        }
        let delimiter = if text.contains('\t') { "\t" } else { "," };
        let mut lines: Vec<String> = text.lines().map(str::to_string).collect();
        for _ in 0..=self.below(3) {
            let (place, other) = (self.below(lines.len()), self.below(lines.len()));
            if lines.is_empty() {
                break;
            }
            let mut fields: Vec<String> = lines[place].split(delimiter).map(Into::into).collect();
            let field = self.below(fields.len());
            match self.below(8) {
                0 => drop(lines.remove(place)),
                1 => lines.insert(other, lines[place].clone()),
                2 => lines.swap(place, other),
                3 => drop(fields.remove(field)),
                4 => fields.push(self.one_of(&WORDS).into()),
                5 => fields[field] = "x".repeat(1 << self.below(17)),
                _ => fields[field] = self.one_of(&WORDS).into(),
            }
            if let Some(line) = lines.get_mut(place).filter(|_| !fields.is_empty()) {
                *line = fields.join(delimiter);
            }
        }
        let end = self.one_of(&["\n", "\r\n", "\r", ""]);
        let mark = self.one_of(&["", "", "\u{feff}"]);
        format!("{mark}{}{end}", lines.join(if end.is_empty() { "\n" } else { end })).into_bytes()
    }

    /// Changes one or two values of a document, whatever they are.
    pub(crate) fn damage_json(&mut self, document: &mut Value) {
        for _ in 0..=self.below(2) {
            self.damage_below(document);
        }
    }

    /// Goes down at random and damages where it ends.
    fn damage_below(&mut self, value: &mut Value) {
        match value {
            Value::Object(fields) if !fields.is_empty() && self.below(12) > 0 => {
                let key = self.key_of(fields);
                if self.below(14) == 0 {
                    let taken = fields.remove(&key);
                    if self.below(3) == 0 {
                        fields.insert(format!("{key}_"), taken.unwrap_or_default());
                    }
                } else if let Some(inner) = fields.get_mut(&key) {
                    self.damage_below(inner);
                }
            }
            Value::Array(entries) if !entries.is_empty() => {
                let place = self.below(entries.len());
                match self.below(12) {
                    0 => drop(entries.remove(place)),
                    1 => entries.insert(place, entries[place].clone()),
                    2 => entries.clear(),
                    3 => entries.truncate(place),
                    4 => entries.reverse(),
                    5 => *entries = vec![entries[place].clone(); 20_000],
                    _ => self.damage_below(&mut entries[place]),
                }
            }
            _ => *value = self.odd_value(value),
        }
    }

    fn key_of(&mut self, fields: &Map<String, Value>) -> String {
        fields.keys().nth(self.below(fields.len())).cloned().unwrap_or_default()
    }

    fn odd_value(&mut self, value: &Value) -> Value {
        let numbers =
            [1e308, -1e308, 1e-308, 0.0, -0.0, -1.0, 1e19, -1e19, 1e9, 4_294_967_296.0, 0.5, 1e62];
        let whole = [0, 1, 2, u64::MAX, u64::from(u32::MAX), 1 << 40, 1 << 53, 7];
        let scaled = value.as_f64().map_or(0.0, |old| old * self.one_of(&[-1.0, 2.0, 1e3, 1e-9]));
        match self.below(9) {
            0 => Value::Null,
            1 => Value::from(self.one_of(&["", "NaN", "lightsb", "../../../x", "\n\u{1b}[31m"])),
            2 => Value::Bool(self.below(2) == 0),
            3 => Value::Array(Vec::new()),
            4 => Value::Object(Map::new()),
            5 => Value::from(scaled),
            6 => Value::from(self.one_of(&whole)),
            _ => Value::from(self.one_of(&numbers)),
        }
    }
}

/// Gives a place that holds the address of an object the address of another: swapped and lost parts,
/// and groups that hold themselves.
fn swap_addresses(dice: &mut Dice, bytes: &mut [u8]) {
    let address = |place: usize| -> Option<usize> {
        let field: [u8; 8] = bytes.get(place..place + 8)?.try_into().ok()?;
        let address = usize::try_from(u64::from_le_bytes(field)).ok()?;
        let first = bytes.get(address..address + 4)?;
        let object = address >= 48 && (first == b"OHDR" || first[..2] == [1, 0]);
        object.then_some(address)
    };
    let places: Vec<usize> =
        (0..bytes.len()).step_by(8).filter(|&p| address(p).is_some()).collect();
    if places.len() < 2 {
        return;
    }
    let (from, to) = (dice.one_of(&places), dice.one_of(&places));
    bytes.copy_within(from..from + 8, to);
}

/// A number from the environment.
pub(crate) fn variable(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// How many damaged inputs of a kind: `usual`, or as many as the environment asks for.
pub(crate) fn count(usual: u64) -> u64 {
    variable("DAMAGE_COUNT").unwrap_or(usual)
}
