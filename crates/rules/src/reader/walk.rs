//! Walks an event beside the tree of paths. It must stay true that the walk ends as soon as nothing that is asked for can
//! come, and not before.

use super::{
    FieldId, Paths, Unreadable,
    paths::Node,
    scan::Scan,
    values::{Context, Kind, ROOT, Slot, Values},
};

/// Arrays and objects that may lie in each other where something is asked for.
const DEPTH_MAX: u32 = 128;

/// Why the walk does not go on.
enum Halt {
    /// Everything that is asked for has been seen.
    Complete,
    Unreadable(Unreadable),
}

impl From<Unreadable> for Halt {
    fn from(fault: Unreadable) -> Self {
        Self::Unreadable(fault)
    }
}

/// Reads what is asked for.
pub(super) fn read(paths: &Paths, event: &[u8], values: &mut Values) -> Result<(), Unreadable> {
    let mut walk = Walk { scan: Scan::new(event), paths, values, depth: 0 };
    match walk.event() {
        Ok(()) | Err(Halt::Complete) => Ok(()),
        Err(Halt::Unreadable(fault)) => Err(fault),
    }
}

struct Walk<'a> {
    scan: Scan<'a>,
    paths: &'a Paths,
    values: &'a mut Values,
    depth: u32,
}

impl<'a> Walk<'a> {
    fn event(&mut self) -> Result<(), Halt> {
        let start = self.scan.blank(0);
        if self.scan.byte(start) != b'{' {
            return Err(fault(start, "`{` was expected"));
        }
        let end = self.object(self.paths.node(0), ROOT, start + 1, true)?;
        let end = self.scan.blank(end);
        if end < self.scan.bytes().len() {
            return Err(fault(end, "the end was expected"));
        }
        Ok(())
    }

    /// Reads an object from behind its bracket; the place behind it. `last` says that nothing is asked for behind it.
    fn object(
        &mut self,
        node: &'a Node,
        context: Context,
        from: usize,
        last: bool,
    ) -> Result<usize, Halt> {
        let mut missing = node.names.len();
        if missing == 0 {
            return if last { Err(Halt::Complete) } else { Ok(self.scan.close(from)?) };
        }
        self.deeper(from)?;
        let mut seen = Seen::start(missing, self.values);
        let mut at = self.scan.blank(from);
        if self.scan.byte(at) == b'}' {
            return Ok(self.leave(at, &seen));
        }
        loop {
            let (found, value) = self.name(node, at)?;
            match found {
                Some((place, child)) if seen.is_new(place, self.values) => {
                    missing -= 1;
                    let child = self.paths.node(child);
                    at = self.value(child, context, value, last && missing == 0)?;
                    if missing == 0 {
                        let end = self.scan.close(at)?;
                        return Ok(self.leave(end - 1, &seen));
                    }
                }
                _ => at = self.scan.skip(value)?,
            }
            at = self.scan.blank(at);
            match self.scan.byte(at) {
                b',' => at = self.scan.blank(at + 1),
                b'}' => return Ok(self.leave(at, &seen)),
                _ => return Err(fault(at, "`,` or `}` was expected")),
            }
        }
    }

    /// Reads the name of a member; its place and node if it is asked for, and where its value begins.
    #[inline]
    fn name(&mut self, node: &Node, at: usize) -> Result<(Option<(usize, u32)>, usize), Halt> {
        if self.scan.byte(at) != b'"' {
            return Err(fault(at, "a name was expected"));
        }
        let start = at + 1;
        let (end, escapes) = self.scan.text(start)?;
        let bytes = self.scan.bytes();
        let found = if escapes {
            let find = |name: &[u8]| node.names.find(name, 0, name.len());
            let found = self.values.with_name(&bytes[start..end], find);
            found.ok_or_else(|| fault(start, "a name has an escape that is none of JSON"))?
        } else {
            node.names.find(bytes, start, end)
        };
        let colon = self.scan.blank(end + 1);
        if self.scan.byte(colon) != b':' {
            return Err(fault(colon, "`:` was expected"));
        }
        Ok((found, self.scan.blank(colon + 1)))
    }

    /// Reads a value that is asked for, or in which something is; the place behind it.
    #[inline]
    fn value(
        &mut self,
        node: &'a Node,
        context: Context,
        at: usize,
        last: bool,
    ) -> Result<usize, Halt> {
        let first = self.scan.byte(at);
        if matches!(first, b'{' | b'[') {
            return self.container(node, context, at, last);
        }
        let end = match node.field {
            Some(field) => self.scalar(field, context, first, at)?,
            None if last => at,
            None => self.scan.skip(at)?,
        };
        if last { Err(Halt::Complete) } else { Ok(end) }
    }

    fn container(
        &mut self,
        node: &'a Node,
        context: Context,
        start: usize,
        last: bool,
    ) -> Result<usize, Halt> {
        let kept = node.field.filter(|_| node.containers && context == ROOT);
        // Its end has to be found.
        let stop = last && kept.is_none();
        let end = if self.scan.byte(start) == b'{' {
            self.object(node, context, start + 1, stop)?
        } else {
            self.array(node, context, start + 1)?
        };
        if let Some(field) = kept {
            self.values.keep(field, start, end);
        }
        if last { Err(Halt::Complete) } else { Ok(end) }
    }

    /// Reads an array from behind its bracket; the place behind it.
    fn array(&mut self, node: &'a Node, around: Context, from: usize) -> Result<usize, Halt> {
        self.deeper(from)?;
        let array = self.values.array();
        let mut at = self.scan.blank(from);
        if self.scan.byte(at) == b']' {
            self.depth -= 1;
            return Ok(at + 1);
        }
        let mut place = 0;
        loop {
            let asked = match self.scan.byte(at) {
                b'{' => !node.names.is_empty(),
                b'[' => true,
                _ => node.field.is_some(),
            };
            at = if asked {
                let context = self.values.enter(around, array, place);
                self.value(node, context, at, false)?
            } else {
                self.scan.skip(at)?
            };
            place += 1;
            at = self.scan.blank(at);
            match self.scan.byte(at) {
                b',' => at = self.scan.blank(at + 1),
                b']' => {
                    self.depth -= 1;
                    return Ok(at + 1);
                }
                _ => return Err(fault(at, "`,` or `]` was expected")),
            }
        }
    }

    /// Reads a scalar that is asked for; the place behind it.
    #[inline]
    fn scalar(
        &mut self,
        field: FieldId,
        context: Context,
        first: u8,
        at: usize,
    ) -> Result<usize, Halt> {
        if first == b'"' {
            let (end, escapes) = self.scan.text(at + 1)?;
            if escapes {
                let text = &self.scan.bytes()[at + 1..end];
                let plain = self.values.push_escaped(field, context, text);
                plain.ok_or_else(|| fault(at, "a text has an escape that is none of JSON"))?;
            } else {
                let (start, end) = (at as u32 + 1, end as u32);
                self.values.push(field, Slot { context, kind: Kind::Text, start, end });
            }
            return Ok(end + 1);
        }
        let end = self.scan.literal(at);
        let kind = match (first, &self.scan.bytes()[at..end]) {
            (b'-' | b'0'..=b'9', _) => Kind::Number,
            (b't', b"true") => Kind::Bool(true),
            (b'f', b"false") => Kind::Bool(false),
            (b'n', b"null") => Kind::Null,
            _ => return Err(fault(at, "a value was expected")),
        };
        self.values.push(field, Slot { context, kind, start: at as u32, end: end as u32 });
        Ok(end)
    }

    fn deeper(&mut self, at: usize) -> Result<(), Halt> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(fault(at, "arrays and objects lie too deep in each other"));
        }
        Ok(())
    }

    /// Leaves an object; the place behind its bracket.
    #[inline]
    fn leave(&mut self, bracket: usize, seen: &Seen) -> usize {
        self.depth -= 1;
        seen.end(self.values);
        bracket + 1
    }
}

/// Which of the names that are asked for an object had.
enum Seen {
    Few(u64),
    /// From this word of [`Values::seen`].
    Many(usize),
}

impl Seen {
    #[inline]
    fn start(names: usize, values: &mut Values) -> Self {
        if names <= 64 {
            return Self::Few(0);
        }
        let start = values.seen.len();
        values.seen.resize(start + names.div_ceil(64), 0);
        Self::Many(start)
    }

    #[inline]
    fn is_new(&mut self, place: usize, values: &mut Values) -> bool {
        let (word, bit) = match self {
            Self::Few(word) => (word, 1 << place),
            Self::Many(start) => (&mut values.seen[*start + place / 64], 1 << (place % 64)),
        };
        let new = *word & bit == 0;
        *word |= bit;
        new
    }

    #[inline]
    fn end(&self, values: &mut Values) {
        if let Self::Many(start) = *self {
            values.seen.truncate(start);
        }
    }
}

#[cold]
fn fault(offset: usize, what: &'static str) -> Halt {
    Halt::Unreadable(Unreadable { offset, what })
}
