//! Fields of forms: each with its label, and with what was typed where a form comes back.

use maud::{Markup, html};

use crate::form::Form;
use crate::lang::Lang;

/// A value that can be chosen, and what it says in both languages.
pub(crate) type Option3<'a> = (&'a str, &'a str, &'a str);

/// What was typed into a field of a form that comes back; else what there is.
pub(crate) fn typed<'a>(form: Option<&'a Form>, name: &str, there_is: &'a str) -> &'a str {
    form.map_or(there_is, |form| form.field(name))
}

/// A line of text.
pub(crate) fn line(name: &str, label: &str, value: &str, characters_max: usize) -> Markup {
    html! {
        p.field {
            label for=(name) { (label) }
            input id=(name) name=(name) type="text" value=(value) maxlength=(characters_max) autocomplete="off";
        }
    }
}

/// One of several values.
pub(crate) fn choice(lang: Lang, name: &str, label: &str, options: &[Option3<'_>], chosen: &str) -> Markup {
    html! {
        p.field {
            label for=(name) { (label) }
            select id=(name) name=(name) {
                @for (value, english, chinese) in options {
                    option value=(value) selected[*value == chosen] { (lang.say(english, chinese)) }
                }
            }
        }
    }
}

/// Something to say yes to.
pub(crate) fn yes(name: &str, label: &str) -> Markup {
    html! {
        p.field.yes {
            input id=(name) name=(name) type="checkbox" value="yes";
            label for=(name) { (label) }
        }
    }
}
