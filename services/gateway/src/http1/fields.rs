//! The fields of a head.

use std::{fmt, ops::Range};

use http::{HeaderMap, HeaderName, HeaderValue};

/// Room for what the gateway adds to a head.
const ROOM_FOR_MORE: usize = 256;

/// Fields for which there is room at first.
const USUAL_FIELDS: usize = 24;

/// Header fields in the order they came, in one piece of memory. Names are in lower case.
#[derive(Clone, Default)]
pub(crate) struct Fields {
    text: Vec<u8>,
    fields: Vec<Field>,
}

#[derive(Clone)]
struct Field {
    name: Piece,
    value: Piece,
}

/// A name or a value.
#[derive(Clone)]
enum Piece {
    /// At this place in the text.
    Own(Range<u32>),
    /// Known to the gateway.
    Fixed(&'static [u8]),
}

impl Fields {
    /// The fields of `head`, which are at these places in it.
    pub(super) fn of(
        head: &[u8],
        places: impl Iterator<Item = (Range<usize>, Range<usize>)>,
    ) -> Self {
        let mut text = Vec::with_capacity(head.len() + ROOM_FOR_MORE);
        text.extend_from_slice(head);
        let mut fields = Vec::with_capacity(USUAL_FIELDS);
        for (name, value) in places {
            if let Some(name) = text.get_mut(name.clone()) {
                name.make_ascii_lowercase();
            }
            fields.push(Field {
                name: Piece::own(&name),
                value: Piece::own(&value),
            });
        }
        Self { text, fields }
    }

    /// The fields of `map`.
    pub(crate) fn from_map(map: &HeaderMap) -> Self {
        let mut fields = Self::default();
        for (name, value) in map {
            let name = fields.write(name.as_str().as_bytes());
            let value = fields.write(value.as_bytes());
            fields.fields.push(Field { name, value });
        }
        fields
    }

    /// The fields as a map, without any that is none.
    pub(crate) fn to_map(&self) -> HeaderMap {
        let pairs = self.iter().filter_map(|(name, value)| {
            let name = HeaderName::from_bytes(name).ok()?;
            Some((name, HeaderValue::from_bytes(value).ok()?))
        });
        let mut map = HeaderMap::with_capacity(self.fields.len());
        for (name, value) in pairs {
            map.append(name, value);
        }
        map
    }

    /// Names and values, in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.fields
            .iter()
            .map(|field| (field.name.of(&self.text), field.value.of(&self.text)))
    }

    /// The first value of `name`.
    pub(crate) fn get(&self, name: &str) -> Option<&[u8]> {
        self.all(name).next()
    }

    /// The value of `name`, if it has just one.
    pub(crate) fn only(&self, name: &str) -> Option<&[u8]> {
        let mut values = self.all(name);
        values.next().filter(|_| values.next().is_none())
    }

    /// Every value of `name`.
    pub(crate) fn all(&self, name: &str) -> impl Iterator<Item = &[u8]> {
        let named = self.fields.iter().filter(move |field| {
            field.name.len() == name.len() && field.name.of(&self.text) == name.as_bytes()
        });
        named.map(|field| field.value.of(&self.text))
    }

    /// Adds a field. `name` is in lower case, and `value` holds no line break.
    pub(crate) fn append(&mut self, name: &'static str, value: &[u8]) {
        let value = self.write(value);
        let name = Piece::Fixed(name.as_bytes());
        self.fields.push(Field { name, value });
    }

    /// As [`Self::append`], for a value that is always the same.
    pub(crate) fn append_fixed(&mut self, name: &'static str, value: &'static str) {
        self.fields.push(Field {
            name: Piece::Fixed(name.as_bytes()),
            value: Piece::Fixed(value.as_bytes()),
        });
    }

    /// Removes the fields that `stays` does not want.
    pub(crate) fn retain(&mut self, mut stays: impl FnMut(&[u8], &[u8]) -> bool) {
        let Self { text, fields } = self;
        fields.retain(|field| stays(field.name.of(text), field.value.of(text)));
    }

    fn write(&mut self, piece: &[u8]) -> Piece {
        let start = self.text.len();
        self.text.extend_from_slice(piece);
        Piece::own(&(start..self.text.len()))
    }
}

impl Piece {
    fn own(place: &Range<usize>) -> Self {
        // A head is far shorter; what is not would be empty.
        let end = |end: usize| u32::try_from(end).unwrap_or(0);
        Self::Own(end(place.start)..end(place.end))
    }

    fn of<'a>(&self, text: &'a [u8]) -> &'a [u8] {
        match self {
            Self::Own(place) => text
                .get(place.start as usize..place.end as usize)
                .unwrap_or_default(),
            Self::Fixed(piece) => piece,
        }
    }

    fn len(&self) -> usize {
        match self {
            Self::Own(place) => place.len(),
            Self::Fixed(piece) => piece.len(),
        }
    }
}

/// Appends a line of a head.
pub(crate) fn write(text: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    text.reserve(name.len() + value.len() + 4);
    text.extend_from_slice(name);
    text.extend_from_slice(b": ");
    text.extend_from_slice(value);
    text.extend_from_slice(b"\r\n");
}

/// Names only: values may be secret.
impl fmt::Debug for Fields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.iter().map(|(name, _)| String::from_utf8_lossy(name));
        f.debug_list().entries(names).finish()
    }
}
