//! What was asked for, and where it ran.

use maud::{Markup, html};

/// A name and its value.
#[derive(Clone, Debug, PartialEq)]
pub struct Fact {
    pub name: &'static str,
    pub value: String,
}

impl Fact {
    pub fn new(name: &'static str, value: impl Into<String>) -> Fact {
        Fact { name, value: value.into() }
    }
}

pub fn draw(facts: &[Fact]) -> Markup {
    html! { dl { @for fact in facts { dt { (fact.name) } dd { (fact.value) } } } }
}
