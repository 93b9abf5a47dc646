//! The two date formats of signed requests: ISO 8601's basic format, and that of HTTP's `Date`.

use jiff::fmt::rfc2822;
use jiff::tz::Offset;
use jiff::{SignedDuration, Timestamp, civil};

/// Writes a time as `YYYYMMDD'T'HHMMSS'Z'`.
pub(super) fn basic(timestamp: Timestamp) -> String {
    let it = Offset::UTC.to_datetime(timestamp);
    format!(
        "{:04}{:02}{:02}T{:02}{:02}{:02}Z",
        it.year(),
        it.month(),
        it.day(),
        it.hour(),
        it.minute(),
        it.second()
    )
}

/// Writes the time `later` than `timestamp`, or the last one there is.
pub(super) fn basic_after(timestamp: Timestamp, later: SignedDuration) -> String {
    basic(timestamp.checked_add(later).unwrap_or(Timestamp::MAX))
}

/// Reads `YYYYMMDD'T'HHMMSS'Z'` and nothing else.
pub(super) fn from_basic(text: &str) -> Option<Timestamp> {
    let digits: &[u8; 16] = text.as_bytes().try_into().ok()?;
    let [y0, y1, y2, y3, mo0, mo1, d0, d1, b'T', h0, h1, mi0, mi1, s0, s1, b'Z'] = *digits else {
        return None;
    };
    let pair = |tens: u8, ones: u8| -> Option<i8> {
        let digits = tens.is_ascii_digit() && ones.is_ascii_digit();
        digits.then(|| i8::try_from((tens - b'0') * 10 + (ones - b'0')).ok()).flatten()
    };
    let year = i16::from(pair(y0, y1)?) * 100 + i16::from(pair(y2, y3)?);
    let date = civil::Date::new(year, pair(mo0, mo1)?, pair(d0, d1)?).ok()?;
    let time = civil::Time::new(pair(h0, h1)?, pair(mi0, mi1)?, pair(s0, s1)?, 0).ok()?;
    Offset::UTC.to_timestamp(date.to_datetime(time)).ok()
}

/// Reads the value of HTTP's `Date` header, of which RFC 2822's format is a superset.
pub(super) fn from_http(text: &str) -> Option<Timestamp> {
    rfc2822::DateTimeParser::new().parse_timestamp(text).ok()
}
