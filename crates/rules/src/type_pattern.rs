//! Patterns over event types: `*` stands for one token, `>` for one or more at the end.

/// Says why a text is no pattern.
pub(crate) fn check(pattern: &str) -> Result<(), String> {
    if pattern == ">" {
        return Ok(());
    }
    let tokens = pattern.split('.').count();
    if tokens < 2 {
        return Err(format!(
            "`{pattern}` matches no event type, which has at least two parts; `>` matches all"
        ));
    }
    for (place, token) in pattern.split('.').enumerate() {
        match token {
            "" => return Err(format!("`{pattern}` has an empty part")),
            ">" if place + 1 < tokens => {
                return Err(format!("in `{pattern}`, `>` may only be the last part"));
            }
            "*" | ">" => {}
            partial if partial.contains(['*', '>']) => {
                return Err(format!(
                    "in `{pattern}`, `*` and `>` stand for whole parts, not for some letters"
                ));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Whether the pattern names one type, without wildcards.
pub(crate) fn is_exact(pattern: &str) -> bool {
    !pattern.contains(['*', '>'])
}

/// Whether a checked pattern matches; allocates nothing.
pub(crate) fn matches(pattern: &str, event_type: &str) -> bool {
    let mut tokens = event_type.split('.');
    for part in pattern.split('.') {
        match (part, tokens.next()) {
            (">", Some(_)) => return true,
            ("*", Some(_)) => {}
            (part, Some(token)) if part == token => {}
            _ => return false,
        }
    }
    tokens.next().is_none()
}
