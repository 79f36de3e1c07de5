//! The statement by which a rebuild copies its rows, read far enough to know which column comes from where.

use relstore_model::identifier::quote;

use crate::migration::statement::Parser;
use crate::sql::TokenKind;

/// Where a column of a copy comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Item {
    /// All columns of the source, in order.
    Star,
    /// A column as it is.
    Column(String),
    /// One literal, the same in every row: as it is written.
    Literal(String),
    /// Anything else, with the names that it reads.
    Computed(Vec<String>),
}

/// `INSERT INTO target(columns) SELECT items FROM source [WHERE …] [ORDER BY …]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Copy {
    pub(crate) source: String,
    /// The columns that are filled, if they are listed.
    pub(crate) targets: Option<Vec<String>>,
    pub(crate) items: Vec<Item>,
    /// Whether rows may be left out.
    pub(crate) has_where: bool,
    /// What the source is called in the statement.
    alias: String,
    /// The byte after the target's name, or after the parenthesis that begins its columns.
    targets_at: usize,
    /// The byte before which the first item begins.
    items_at: usize,
}

impl Copy {
    /// The copy that `sql` is; `None` if it is another statement, or reads more than one table, or folds rows.
    pub(crate) fn parse(sql: &str) -> Option<Self> {
        let mut p = Parser::new(sql);
        let replaces = p.word("REPLACE");
        if !replaces {
            p.word("INSERT").then_some(())?;
            if p.word("OR") {
                p.next();
            }
        }
        p.word("INTO").then_some(())?;
        p.qualified()?;
        if p.word("AS") {
            p.name()?;
        }
        let mut targets_at = p.peek()?.start;
        let mut targets = None;
        if p.symbol("(") {
            targets_at = p.peek()?.start;
            let mut names = Vec::new();
            while !p.symbol(")") {
                names.push(p.name()?);
                p.symbol(",");
            }
            targets = Some(names);
        }
        p.word("SELECT").then_some(())?;
        p.word("ALL");
        let items_at = p.peek()?.start;
        if p.word("DISTINCT") {
            return None;
        }
        let items = items(&mut p)?;
        let source = p.qualified()?;
        let mut alias = source.clone();
        let ends_source = |p: &Parser<'_>| p.is_end() || ["WHERE", "ORDER"].iter().any(|w| p.peek().is_some_and(|t| t.is_word(p.sql, w)));
        if p.word("AS") || !ends_source(&p) {
            alias = p.name()?;
        }
        if !ends_source(&p)
            || ["UNION", "INTERSECT", "EXCEPT", "GROUP", "HAVING", "LIMIT", "WINDOW", "ON", "RETURNING"].iter().any(|w| p.has_later(w))
        {
            return None;
        }
        let has_where = p.word("WHERE");
        Some(Self { source, targets, items, has_where, alias, targets_at, items_at })
    }

    /// The same copy, which fills the rowid too: `source_rowid` is its name in the source, `target_rowid` in the target, whose columns are
    /// `columns` where the statement does not list them.
    pub(crate) fn with_rowid(&self, sql: &str, source_rowid: &str, target_rowid: &str, columns: &[String]) -> String {
        let (before, between, items) = (&sql[..self.targets_at], &sql[self.targets_at..self.items_at], &sql[self.items_at..]);
        let rowid = format!("{}.{source_rowid}, ", quote(&self.alias));
        match self.targets {
            Some(_) => format!("{before}{target_rowid}, {between}{rowid}{items}"),
            None => {
                let columns: Vec<String> = columns.iter().map(|c| quote(c)).collect();
                format!("{before}({target_rowid}, {}) {between}{rowid}{items}", columns.join(", "))
            }
        }
    }

    /// Where each target comes from; `columns` are those of the target that can be filled, `source` those that `*` stands for.
    pub(crate) fn origins(&self, columns: &[String], source: &[String]) -> Vec<(String, Item)> {
        let items = self.items.iter().flat_map(|item| match item {
            Item::Star => source.iter().map(|c| Item::Column(c.clone())).collect(),
            other => vec![other.clone()],
        });
        self.targets.as_deref().unwrap_or(columns).iter().cloned().zip(items).collect()
    }
}

/// The items up to the word `FROM`, which is passed over.
fn items(p: &mut Parser<'_>) -> Option<Vec<Item>> {
    let mut items = Vec::new();
    let mut first = p.at;
    let mut depth = 0_i32;
    loop {
        let token = p.next()?;
        let text = token.text(p.sql);
        depth += match text {
            "(" => 1,
            ")" => -1,
            _ => 0,
        };
        let is_from = depth == 0 && token.is_word(p.sql, "FROM");
        if is_from || (depth == 0 && text == ",") {
            items.push(item(p, first, p.at - 1)?);
            first = p.at;
        }
        if is_from {
            return Some(items);
        }
    }
}

fn item(p: &Parser<'_>, first: usize, end: usize) -> Option<Item> {
    let sql = p.sql;
    let mut tokens = p.tokens().get(first..end).filter(|t| !t.is_empty())?;
    let is_name = |i: usize| tokens.get(i).is_some_and(|t| matches!(t.kind, TokenKind::Word | TokenKind::Quoted));
    // The name that it is given says nothing: a copy goes by position.
    if tokens.len() > 2 && tokens[tokens.len() - 2].is_word(sql, "AS") {
        tokens = &tokens[..tokens.len() - 2];
    }
    let is_null = tokens[0].is_word(sql, "NULL");
    Some(match tokens {
        [t] if t.text(sql) == "*" => Item::Star,
        [_, dot, t] if dot.text(sql) == "." && t.text(sql) == "*" => Item::Star,
        [t] if is_null || matches!(t.kind, TokenKind::Literal | TokenKind::Number) => Item::Literal(t.text(sql).to_owned()),
        [sign, t] if sign.text(sql) == "-" && t.kind == TokenKind::Number => Item::Literal(format!("-{}", t.text(sql))),
        [t] if is_name(0) => Item::Column(t.name(sql)),
        [_, dot, t] if is_name(0) && dot.text(sql) == "." && is_name(2) => Item::Column(t.name(sql)),
        tokens => {
            let names = tokens.iter().filter(|t| matches!(t.kind, TokenKind::Word | TokenKind::Quoted)).map(|t| t.name(sql));
            Item::Computed(names.collect())
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(name: &str) -> Item {
        Item::Column(name.to_owned())
    }

    #[test]
    fn a_copy_says_which_column_comes_from_where() {
        let copy = Copy::parse(
            "INSERT INTO `__new_x`(\"id\", \"b\", c, d) SELECT `id`, x.a AS q, coalesce(c, 'z'), -1 FROM x WHERE id > 2 ORDER BY id",
        )
        .unwrap();
        assert_eq!((copy.source.as_str(), copy.has_where), ("x", true));
        assert_eq!(
            copy.items,
            [column("id"), column("a"), Item::Computed(vec!["coalesce".into(), "c".into()]), Item::Literal("-1".into())]
        );
        let names = |n: &[&str]| n.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>();
        let star = Copy::parse("INSERT INTO n SELECT * FROM x").unwrap();
        assert_eq!(star.origins(&names(&["p", "q"]), &names(&["a", "b"])), [("p".to_owned(), column("a")), ("q".to_owned(), column("b"))]);
        for other in [
            "INSERT INTO n VALUES(1)",
            "INSERT INTO n SELECT a FROM x, y",
            "INSERT INTO n SELECT a FROM x JOIN y",
            "INSERT INTO n SELECT a FROM x GROUP BY a",
            "INSERT INTO n SELECT a FROM x UNION SELECT 1",
            "INSERT INTO n SELECT DISTINCT a FROM x",
            "INSERT INTO n SELECT a FROM x WHERE 1 LIMIT 3",
            "INSERT INTO n SELECT 1",
            "UPDATE n SET a=1",
        ] {
            assert_eq!(Copy::parse(other), None, "{other}");
        }
    }

    #[test]
    fn a_copy_can_fill_the_rowid_too() {
        let check = |sql: &str, wanted: &str| {
            let copy = Copy::parse(sql).unwrap();
            assert_eq!(copy.with_rowid(sql, "oid", "rowid", &["p".to_owned(), "q".to_owned()]), wanted);
        };
        check("INSERT INTO n(p, q) SELECT a, b FROM x AS y", "INSERT INTO n(rowid, p, q) SELECT \"y\".oid, a, b FROM x AS y");
        check("INSERT INTO n SELECT * FROM x", "INSERT INTO n (rowid, \"p\", \"q\") SELECT \"x\".oid, * FROM x");
    }
}
