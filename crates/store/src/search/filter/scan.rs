//! The parts of a filter, with their places. Knows no key.

/// One term as written.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Item<'a> {
    pub(super) negated: bool,
    /// What stands before the colon, and where; none for a word.
    pub(super) key: Option<(&'a str, (usize, usize))>,
    /// At least one; a word has exactly one.
    pub(super) values: Vec<Value<'a>>,
    pub(super) span: (usize, usize),
}

/// One value as written, without its quotes or its star.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Value<'a> {
    pub(super) text: &'a str,
    pub(super) is_prefix: bool,
    pub(super) span: (usize, usize),
}

/// What is wrong, and where.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Wrong {
    pub(super) span: (usize, usize),
    pub(super) what: String,
    pub(super) help: Option<&'static str>,
}

/// Gives the terms in order; after a wrong one it goes on behind the next space.
pub(super) struct Scanner<'a> {
    source: &'a str,
    at: usize,
}

impl<'a> Scanner<'a> {
    pub(super) fn new(source: &'a str) -> Self {
        Self { source, at: 0 }
    }

    fn rest(&self) -> &'a str {
        self.source.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    /// Goes on while characters are of a kind, and gives them.
    fn take_while(&mut self, is: impl Fn(char) -> bool) -> &'a str {
        let rest = self.rest();
        let end = rest.find(|c| !is(c)).unwrap_or(rest.len());
        self.at += end;
        rest.get(..end).unwrap_or_default()
    }

    fn skip(&mut self, wanted: char) -> bool {
        let found = self.peek() == Some(wanted);
        if found {
            self.at += wanted.len_utf8();
        }
        found
    }

    fn item(&mut self) -> Result<Item<'a>, Wrong> {
        let start = self.at;
        let negated = self.skip('-');
        let key_start = self.at;
        let ahead = self.rest();
        let key = ahead
            .find(|c: char| c.is_whitespace() || matches!(c, ':' | '"' | ','))
            .filter(|end| ahead.get(*end..).is_some_and(|rest| rest.starts_with(':')))
            .and_then(|end| ahead.get(..end));
        if let Some(name) = key {
            self.at += name.len() + 1;
        }
        let key = key.map(|name| (name, (key_start, key_start + name.len())));
        let mut values = vec![self.value(start)?];
        while self.skip(',') {
            values.push(self.value(start)?);
        }
        let span = (start, self.at);
        match self.peek() {
            Some(found) if !found.is_whitespace() => {
                let place = (self.at, self.at + found.len_utf8());
                Err(wrong(
                    place,
                    format!("`{found}` stands directly behind a text in quotes"),
                    Some("a space, or a comma"),
                ))
            }
            _ if key.is_none() && values.len() > 1 => Err(wrong(
                span,
                "words are not joined by commas".to_owned(),
                Some("words beside each other all have to be there"),
            )),
            _ => Ok(Item { negated, key, values, span }),
        }
    }

    fn value(&mut self, item: usize) -> Result<Value<'a>, Wrong> {
        let start = self.at;
        if self.skip('"') {
            let text = self.take_while(|c| c != '"');
            if !self.skip('"') {
                return Err(wrong((start, self.at), "a quote is opened and not closed".to_owned(), None));
            }
            return Ok(Value { text, is_prefix: false, span: (start, self.at) });
        }
        let text = self.take_while(|c| !c.is_whitespace() && !matches!(c, ',' | '"'));
        let span = (start, self.at);
        if text.is_empty() {
            let what = match self.source.get(item..start).unwrap_or_default() {
                "" | "-" => "there is nothing to look for".to_owned(),
                before => format!("`{before}` has no value"),
            };
            let help = "`KEY:*` is any value, `-KEY:*` is none";
            return Err(wrong((item, self.at.max(item + 1)), what, Some(help)));
        }
        let (text, is_prefix) = text.strip_suffix('*').map_or((text, false), |text| (text, true));
        if text.contains('*') {
            let help = "in quotes it is an ordinary character";
            return Err(wrong(span, "`*` stands at the end only".to_owned(), Some(help)));
        }
        Ok(Value { text, is_prefix, span })
    }
}

fn wrong(span: (usize, usize), what: String, help: Option<&'static str>) -> Wrong {
    Wrong { span, what, help }
}

impl<'a> Iterator for Scanner<'a> {
    type Item = Result<Item<'a>, Wrong>;

    fn next(&mut self) -> Option<Self::Item> {
        self.take_while(char::is_whitespace);
        self.peek()?;
        let item = self.item();
        if item.is_err() {
            self.take_while(|c| !c.is_whitespace());
        }
        Some(item)
    }
}
