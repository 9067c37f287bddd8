//! The XML that some vendors speak: read into a tree, within bounds, and written escaped.
//!
//! Nothing is expanded but characters. What declares a document type is refused, and with it every
//! entity that it could declare.

use quick_xml::{
    Reader,
    escape::{escape, resolve_predefined_entity},
    events::{BytesRef, Event},
};

/// How deep elements may lie in each other.
const DEEPEST: usize = 32;
/// How many elements there may be.
const MOST: usize = 500_000;
/// What a document begins with.
const DECLARATION: &str = r#"<?xml version="1.0" encoding="UTF-8"?>"#;

/// An element that was read, without attributes and namespaces.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Element {
    name: Box<str>,
    text: String,
    children: Vec<Element>,
}

impl Element {
    /// Reads a document; none when it is not one, or more than anybody has to read.
    #[must_use]
    pub(crate) fn read(document: &str) -> Option<Self> {
        let mut reader = Reader::from_str(document);
        // The first stands for the document itself.
        let mut open = vec![Self::default()];
        let mut left = MOST;
        loop {
            match reader.read_event().ok()? {
                Event::Start(tag) if open.len() <= DEEPEST => {
                    left = left.checked_sub(1)?;
                    open.push(Self::named(tag.local_name().as_ref()));
                }
                Event::Empty(tag) => {
                    left = left.checked_sub(1)?;
                    open.last_mut()?.children.push(Self::named(tag.local_name().as_ref()));
                }
                Event::End(_) => {
                    let ended = open.pop()?;
                    open.last_mut()?.children.push(ended);
                }
                Event::Text(text) => open.last_mut()?.text.push_str(&text),
                Event::CData(text) => open.last_mut()?.text.push_str(&text),
                Event::GeneralRef(reference) => {
                    open.last_mut()?.text.push_str(&meaning(&reference)?);
                }
                Event::Start(_) | Event::DocType(_) => return None,
                Event::Decl(_) | Event::PI(_) | Event::Comment(_) => (),
                Event::Eof => break,
            }
        }
        let mut document = open.pop().filter(|_| open.is_empty())?;
        let root = document.children.pop()?;
        let is_alone = document.children.is_empty() && document.text.trim().is_empty();
        is_alone.then_some(root)
    }

    fn named(name: &str) -> Self {
        Self { name: name.into(), ..Self::default() }
    }

    /// Its name.
    #[must_use]
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// What it says itself, without the space around it.
    #[must_use]
    pub(crate) fn text(&self) -> &str {
        self.text.trim()
    }

    /// What is in it.
    #[must_use]
    pub(crate) fn children(&self) -> &[Self] {
        &self.children
    }

    /// All of this name that are in it.
    pub(crate) fn all(&self, name: &str) -> impl Iterator<Item = &Self> {
        self.children.iter().filter(move |child| &*child.name == name)
    }

    /// What lies at the end of this path.
    #[must_use]
    pub(crate) fn at(&self, path: &[&str]) -> Option<&Self> {
        path.iter().try_fold(self, |element, name| element.all(name).next())
    }

    /// What the one at the end of this path says; none when that is nothing.
    #[must_use]
    pub(crate) fn said(&self, path: &[&str]) -> Option<&str> {
        self.at(path).map(Self::text).filter(|text| !text.is_empty())
    }

    /// The first of this name, however deep it lies.
    #[must_use]
    pub(crate) fn somewhere(&self, name: &str) -> Option<&Self> {
        let found = |child: &'_ Self| &*child.name == name;
        self.children.iter().find_map(|it| if found(it) { Some(it) } else { it.somewhere(name) })
    }
}

/// The characters that a reference stands for; none for one that has to be declared.
fn meaning(reference: &BytesRef<'_>) -> Option<String> {
    match reference.resolve_char_ref().ok()? {
        Some(character) => Some(character.to_string()),
        None => resolve_predefined_entity(reference).map(str::to_owned),
    }
}

/// An element that says this.
#[must_use]
pub(crate) fn leaf(name: &str, text: &str) -> String {
    format!("<{name}>{}</{name}>", escape(text))
}

/// An element around others.
#[must_use]
pub(crate) fn node(name: &str, children: &[String]) -> String {
    format!("<{name}>{}</{name}>", children.concat())
}

/// A document of this element.
#[must_use]
pub(crate) fn document(root: &str) -> String {
    format!("{DECLARATION}{root}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_is_read_without_its_namespaces() {
        let text = r#"<?xml version="1.0"?><!-- a --><s:Envelope xmlns:s="urn:x"><s:Body a="1">
            <one> 1 &amp; &#x32;&#51; <![CDATA[<&>]]></one><none/><one>4</one></s:Body></s:Envelope>"#;
        let root = Element::read(text).unwrap();
        assert_eq!(root.name(), "Envelope");
        assert_eq!(root.said(&["Body", "one"]), Some("1 & 23 <&>"));
        assert_eq!(root.at(&["Body"]).unwrap().all("one").count(), 2);
        assert_eq!(root.at(&["Body"]).unwrap().children().len(), 3);
        assert_eq!((root.said(&["Body", "none"]), root.at(&["Body", "two"])), (None, None));
        assert_eq!(root.somewhere("none").map(Element::text), Some(""));
        assert_eq!(root.somewhere("Envelope"), None);
    }

    #[test]
    fn what_is_no_document_or_too_much_is_refused() {
        let laughs = r#"<!DOCTYPE a [<!ENTITY b "ha"><!ENTITY c "&b;&b;">]><a>&c;</a>"#;
        let deep = |depth: usize| "<a>".repeat(depth) + &"</a>".repeat(depth);
        let wide = |width: usize| format!("<a>{}</a>", "<b/>".repeat(width));
        for text in [
            "",
            "null",
            "{}",
            "<a>",
            "<a><b></a></b>",
            "<a/><b/>",
            "<a/>x",
            "</a>",
            "<a>&unknown;</a>",
            "<a>&#0;</a>",
            "<!DOCTYPE html><html></html>",
            r#"<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>"#,
            laughs,
            &deep(DEEPEST + 1),
            &"<a>".repeat(1_000_000),
            &wide(MOST),
        ] {
            assert_eq!(Element::read(text), None, "{}", &text[..text.len().min(60)]);
        }
        assert!(Element::read(&deep(DEEPEST)).is_some());
        assert_eq!(Element::read(&wide(1000)).unwrap().children().len(), 1000);
    }

    #[test]
    fn what_is_written_is_escaped() {
        let inner = [leaf("b", "1 < 2 & \"x\" > '"), leaf("c", "")];
        let text = document(&node("a", &inner));
        assert!(
            text.starts_with("<?xml version=\"1.0\" encoding=\"UTF-8\"?><a><b>1 &lt; 2 &amp; ")
        );
        let root = Element::read(&text).unwrap();
        assert_eq!(root.said(&["b"]), Some("1 < 2 & \"x\" > '"));
        assert_eq!(root.at(&["c"]).map(Element::text), Some(""));
    }
}
