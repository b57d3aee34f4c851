//! How much room is left for what is kept.

/// What may still be kept. Ordered from everything to nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Room {
    /// Everything.
    Enough,
    /// No text of the trace: records and what decisions were made on come first.
    NoText,
    /// Nothing. What cannot be recorded is not done.
    Nothing,
}

impl Room {
    /// The room left of `max` bytes when `used` are taken. Text goes first, at nine tenths.
    #[must_use]
    pub fn left(used: u64, max: Option<u64>) -> Self {
        match max {
            Some(max) if used >= max => Self::Nothing,
            Some(max) if used >= max - max / 10 => Self::NoText,
            _ => Self::Enough,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Room;

    #[test]
    fn text_goes_at_nine_tenths_and_everything_at_the_limit() {
        let left = |used| Room::left(used, Some(1000));
        assert_eq!(
            [left(0), left(899), left(900), left(999)],
            [Room::Enough, Room::Enough, Room::NoText, Room::NoText]
        );
        assert_eq!([left(1000), left(u64::MAX)], [Room::Nothing, Room::Nothing]);
        assert_eq!(Room::left(u64::MAX, None), Room::Enough);
        assert_eq!(Room::left(0, Some(0)), Room::Nothing);
    }
}
