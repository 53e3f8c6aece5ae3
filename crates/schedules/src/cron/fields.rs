//! Reading the text of a cron expression, field by field, so that a mistake is told where it is.
//!
//! What leaves here holds numbers only and nothing that the cron library would take without understanding it.

/// Longest expression in bytes.
const LEN_MAX: usize = 256;

/// One field: how it is called and what may stand in it.
struct Field {
    name: &'static str,
    min: u32,
    max: u32,
    names: &'static [&'static str],
    /// Number that the first name stands for.
    first: u32,
}

const FIELDS: [Field; 6] = [
    Field { name: "second", min: 0, max: 59, names: &[], first: 0 },
    Field { name: "minute", min: 0, max: 59, names: &[], first: 0 },
    Field { name: "hour", min: 0, max: 23, names: &[], first: 0 },
    Field { name: "day of the month", min: 1, max: 31, names: &[], first: 0 },
    Field {
        name: "month",
        min: 1,
        max: 12,
        names: &[
            "JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC",
        ],
        first: 1,
    },
    Field {
        name: "day of the week",
        min: 0,
        max: 7,
        names: &["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"],
        first: 0,
    },
];
const DAY: usize = 3;
const WEEKDAY: usize = 5;

/// An expression that was understood.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Fields {
    /// Six fields, seconds first, numbers for names.
    pub(super) text: String,
    /// Whether it names times of the day one by one, rather than repeating through the day.
    pub(super) is_fixed: bool,
}

/// Reads an expression of five or six fields, or a nickname such as `@daily`.
///
/// # Errors
/// A sentence for each mistake.
pub(super) fn read(expression: &str) -> Result<Fields, Vec<String>> {
    if expression.len() > LEN_MAX {
        return Err(vec![format!("a cron expression has at most {LEN_MAX} bytes")]);
    }
    let upper = expression.trim().to_ascii_uppercase();
    if upper.contains("TZ=") {
        return Err(vec!["name the time zone in `timezone` instead".to_owned()]);
    }
    let spelled = match upper.strip_prefix('@') {
        Some(nickname) => written_out(nickname).map_err(|message| vec![message])?,
        None => upper.as_str(),
    };
    let mut parts: Vec<&str> = spelled.split_whitespace().collect();
    if parts.len() == 5 {
        parts.insert(0, "0");
    }
    if parts.len() != FIELDS.len() {
        return Err(vec![format!(
            "write five fields (minute, hour, day of the month, month, day of the week), or six with the second \
             first; there are {}",
            parts.len()
        )]);
    }
    let mut mistakes = Vec::new();
    let mut fields = Vec::new();
    for (index, (field, part)) in FIELDS.iter().zip(&parts).enumerate() {
        match field.read(index, part) {
            Ok(text) => fields.push(text),
            Err(message) => mistakes.push(format!("{} `{part}`: {message}", field.name)),
        }
    }
    if !mistakes.is_empty() {
        return Err(mistakes);
    }
    let is_fixed = fields.iter().take(DAY).all(|field| !field.contains(['*', '/', '-']));
    Ok(Fields { text: fields.join(" "), is_fixed })
}

fn written_out(nickname: &str) -> Result<&'static str, String> {
    Ok(match nickname {
        "YEARLY" | "ANNUALLY" => "0 0 1 1 *",
        "MONTHLY" => "0 0 1 * *",
        "WEEKLY" => "0 0 * * 0",
        "DAILY" | "MIDNIGHT" => "0 0 * * *",
        "HOURLY" => "0 * * * *",
        "REBOOT" => {
            return Err("there is no @reboot: a schedule knows the calendar only".to_owned());
        }
        other if other.starts_with("EVERY") => {
            return Err("use the kind `interval` with `intervalMs` instead of @every".to_owned());
        }
        _ => {
            return Err("use @hourly, @daily, @weekly, @monthly, @yearly or five fields".to_owned());
        }
    })
}

impl Field {
    /// Checks one field and writes it with numbers only.
    fn read(&self, index: usize, text: &str) -> Result<String, String> {
        let (both, list) = match text.strip_prefix('+') {
            Some(rest) if index == WEEKDAY => ("+", rest),
            Some(_) => return Err("`+` stands before the day of the week only".to_owned()),
            None => ("", text),
        };
        let items: Result<Vec<String>, String> =
            list.split(',').map(|item| self.item(index, item)).collect();
        let items = items?;
        // One `*` in a list is the whole list, and only a lone one counts as "any day" when the other day field is set.
        let any = items.iter().any(|item| item == "*");
        Ok(format!("{both}{}", if any { "*".to_owned() } else { items.join(",") }))
    }

    fn item(&self, index: usize, item: &str) -> Result<String, String> {
        match item {
            "" => return Err("something is missing at a comma".to_owned()),
            "*" => return Ok("*".to_owned()),
            "?" if index == DAY || index == WEEKDAY => return Ok("*".to_owned()),
            "L" | "LW" if index == DAY => return Ok(item.to_owned()),
            "L" if index == WEEKDAY => {
                return Err("say which: 5L is the last Friday of the month".to_owned());
            }
            _ => {}
        }
        if let Some((range, step)) = item.split_once('/') {
            return self.stepped(range, step);
        }
        if let Some((from, to)) = item.split_once('-') {
            let (from, to) = self.range(from, to)?;
            return Ok(format!("{from}-{to}"));
        }
        if index == DAY
            && let Some(day) = item.strip_suffix('W')
        {
            return Ok(format!("{}W", self.number(day)?));
        }
        if index == WEEKDAY
            && let Some(day) = item.strip_suffix('L')
        {
            return Ok(format!("{}L", self.number(day)?));
        }
        if index == WEEKDAY
            && let Some((day, nth)) = item.split_once('#')
        {
            let nth = nth.parse::<u32>().ok().filter(|nth| (1..=5).contains(nth));
            let nth =
                nth.ok_or("after `#` stands 1 to 5: 1#2 is the second Monday of the month")?;
            return Ok(format!("{}#{nth}", self.number(day)?));
        }
        Ok(self.number(item)?.to_string())
    }

    fn stepped(&self, range: &str, step: &str) -> Result<String, String> {
        let (from, to) = match range.split_once('-') {
            Some((from, to)) => self.range(from, to)?,
            None if range == "*" || range.is_empty() => (self.min, self.max),
            None => (self.number(range)?, self.max),
        };
        let step = step.parse::<u32>().ok().filter(|step| *step > 0);
        let step = step.ok_or("after `/` stands a whole number of at least 1")?;
        if step > 1 && step > to - from {
            return Err(format!(
                "a step of {step} leaves only {from}; for an equal distance through hours and days use the kind \
                 `interval` with `intervalMs`"
            ));
        }
        let is_all = (from, to) == (self.min, self.max);
        Ok(match (is_all, step) {
            (true, 1) => "*".to_owned(),
            (true, _) => format!("*/{step}"),
            (false, _) => format!("{from}-{to}/{step}"),
        })
    }

    fn range(&self, from: &str, to: &str) -> Result<(u32, u32), String> {
        let start = self.number(from)?;
        let mut end = self.number(to)?;
        // `FRI-SUN` ends with the week.
        if end == 0 && start > 0 && self.max == 7 {
            end = 7;
        }
        if start > end {
            return Err(format!("{from} comes after {to}; write two ranges, as in 22-23,0-3"));
        }
        Ok((start, end))
    }

    fn number(&self, text: &str) -> Result<u32, String> {
        if let Some(place) = self.names.iter().position(|name| *name == text) {
            return Ok(self.first + u32::try_from(place).unwrap_or_default());
        }
        let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let number = is_number.then(|| text.parse().ok()).flatten();
        match number.filter(|number| (self.min..=self.max).contains(number)) {
            Some(number) => Ok(number),
            None if self.names.is_empty() => {
                Err(format!("use numbers from {} to {}", self.min, self.max))
            }
            None => Err(format!(
                "use numbers from {} to {} or {} to {}",
                self.min,
                self.max,
                self.names.first().unwrap_or(&""),
                self.names.last().unwrap_or(&""),
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_are_written_with_numbers() {
        for (expression, text, is_fixed) in [
            ("0 9 * * mon-fri", "0 0 9 * * 1-5", true),
            ("30 0,12 9 1,15 jan-MAR ?", "30 0,12 9 1,15 1-3 *", true),
            ("*/15 * * * *", "0 */15 * * * *", false),
            ("5/15 * * * *", "0 5-59/15 * * * *", false),
            ("0 9-17 * * *", "0 0 9-17 * * *", false),
            ("0 0 L * +FRI-SUN", "0 0 0 L * +5-7", true),
            ("0 0 LW * 5#2,6L", "0 0 0 LW * 5#2,6L", true),
            ("0 0 */1 * 1", "0 0 0 * * 1", true),
            ("0 0 15W * *", "0 0 0 15W * *", true),
            ("@daily", "0 0 0 * * *", true),
            (" @Hourly ", "0 0 * * * *", false),
        ] {
            let read = read(expression).unwrap();
            assert_eq!((read.text.as_str(), read.is_fixed), (text, is_fixed), "{expression}");
        }
    }

    #[test]
    fn mistakes_are_told_where_they_are() {
        for (expression, part) in [
            ("", "there are 0"),
            ("* * * *", "there are 4"),
            ("0 0 0 1 1 * 2030", "there are 7"),
            ("60 * * * *", "minute `60`: use numbers from 0 to 59"),
            ("* 24 * * *", "hour `24`: use numbers from 0 to 23"),
            ("0 0 0 * *", "day of the month `0`: use numbers from 1 to 31"),
            ("0 0 * 13 *", "month `13`: use numbers from 1 to 12 or JAN to DEC"),
            ("0 0 * * 8", "day of the week `8`: use numbers from 0 to 7 or SUN to SAT"),
            ("MON 0 * * *", "minute `MON`"),
            ("0 0 * * MONDAY", "day of the week `MONDAY`"),
            ("0 0 15W3 * *", "day of the month `15W3`"),
            ("0 0 L-3 * *", "day of the month `L-3`"),
            ("0 0 * * L", "5L is the last Friday"),
            ("0 0 * * 1#6", "1 to 5"),
            ("0 0 * * SAT-MON", "SAT comes after MON"),
            ("1,,2 * * * *", "at a comma"),
            (", * * * *", "at a comma"),
            ("*/0 * * * *", "at least 1"),
            ("*/90 * * * *", "intervalMs"),
            ("1* * * * *", "minute `1*`"),
            ("-1 * * * *", "minute `-1`"),
            ("+1 * * * *", "before the day of the week only"),
            ("0 0 ? ? ?", "month `?`"),
            ("@reboot", "no @reboot"),
            ("@every 5m", "intervalMs"),
            ("@sometimes", "@hourly"),
            ("CRON_TZ=Europe/Berlin 0 9 * * *", "`timezone`"),
            ("0 0 * * \u{661}", "day of the week"),
            ("4294967296 * * * *", "minute"),
            (&"1,".repeat(200), "256 bytes"),
        ] {
            let mistakes = read(expression).unwrap_err().join("; ");
            assert!(mistakes.contains(part), "{expression}: {mistakes}");
        }
    }

    #[test]
    fn all_mistakes_are_told_at_once() {
        assert_eq!(read("60 24 32 13 8").unwrap_err().len(), 5);
    }
}
