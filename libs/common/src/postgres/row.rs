//! One row of a result.

use bytes::Bytes;

/// Fields up to this size are copied, so that they do not keep a whole read buffer alive.
const COPY_BELOW_BYTES: usize = 4096;

/// One row; fields are found on demand.
#[derive(Clone, Debug)]
pub struct Row(Bytes);

impl Row {
    /// A row over the fields of a `DataRow` message, each preceded by its length.
    pub(super) fn new(fields: Bytes) -> Self {
        Self(fields)
    }

    /// All fields, in order; `None` is null.
    pub fn fields(&self) -> Fields<'_> {
        Fields(&self.0)
    }

    /// One field's bytes, unless it is null or absent.
    pub fn get(&self, index: usize) -> Option<&[u8]> {
        self.fields().nth(index).flatten()
    }

    /// One field as text, unless it is null, absent or not UTF-8.
    pub fn text(&self, index: usize) -> Option<&str> {
        self.get(index).and_then(|field| str::from_utf8(field).ok())
    }

    /// One field as bytes of their own; a large one shares the row's memory.
    pub fn take(&self, index: usize) -> Option<Bytes> {
        self.get(index).map(|field| {
            if field.len() < COPY_BELOW_BYTES {
                Bytes::copy_from_slice(field)
            } else {
                self.0.slice_ref(field)
            }
        })
    }
}

/// The fields of a [`Row`].
#[derive(Clone, Debug)]
pub struct Fields<'a>(&'a [u8]);

impl<'a> Iterator for Fields<'a> {
    type Item = Option<&'a [u8]>;

    fn next(&mut self) -> Option<Self::Item> {
        let (length, rest) = self.0.split_first_chunk::<4>()?;
        let Ok(length) = usize::try_from(i32::from_be_bytes(*length)) else {
            self.0 = rest;
            return Some(None);
        };
        let (field, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some(Some(field))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(fields: &[Option<&str>]) -> Row {
        let mut bytes = Vec::new();
        for field in fields {
            let length = field.map_or(-1, |text| i32::try_from(text.len()).unwrap());
            bytes.extend(length.to_be_bytes());
            bytes.extend(field.unwrap_or_default().bytes());
        }
        Row::new(bytes.into())
    }

    #[test]
    fn fields_are_found_by_position() {
        let row = row(&[Some("a"), None, Some("")]);
        assert_eq!(row.text(0), Some("a"));
        assert_eq!(row.text(1), None);
        assert_eq!(row.text(2), Some(""));
        assert_eq!(row.text(3), None);
        assert_eq!(row.fields().count(), 3);
    }

    #[test]
    fn a_row_cut_short_ends_early() {
        let whole = row(&[Some("abc")]).0;
        for end in 0..whole.len() {
            assert_eq!(Row::new(whole.slice(..end)).get(0), None, "{end}");
        }
    }
}
