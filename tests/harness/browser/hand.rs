//! What a person's hand does: clicks, types, ticks, attaches.

use std::path::Path;
use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};

use super::find::{Sort, squeezed};
use super::wire::Element;
use super::{Browser, PULSE};
use crate::error::{HarnessError, Result};

/// How long a click may take to begin loading the page it leads to. Only where a script takes the
/// click for itself is all of it spent.
const TURNING: Duration = Duration::from_secs(5);

/// Whether a click on this leads to another page; if so, the page that it leaves is marked.
const LEADS_ON: &str = r"
const it = arguments[0], form = it.form;
const link = it.closest('a[href]');
const leads = link
  ? !link.getAttribute('href').startsWith('#') && !link.target && !link.hasAttribute('download')
  : form && it.type === 'submit' && !(it.formTarget || form.target) && (form.noValidate || it.formNoValidate || form.checkValidity());
if (leads) window.beckonLeaves = true;
return Boolean(leads);
";

/// Gives a field the focus and selects what is in it; says whether it is written as a whole or in
/// parts, or nothing when nobody could write there.
const MAKE_READY: &str = r"
const it = arguments[0];
if (it.matches(':disabled, :read-only')) return null;
it.scrollIntoView({ block: 'center', inline: 'nearest', behavior: 'instant' });
it.focus();
if (document.activeElement !== it) return null;
if (!it.matches('textarea, [type=text], [type=search], [type=email], [type=password], [type=url], [type=tel]')) return 'parts';
it.select();
return 'whole';
";

/// Keys that have names, and what stands for them on the wire.
const KEYS: [(&str, char); 16] = [
    ("Backspace", '\u{E003}'),
    ("Tab", '\u{E004}'),
    ("Enter", '\u{E007}'),
    ("Shift", '\u{E008}'),
    ("Control", '\u{E009}'),
    ("Alt", '\u{E00A}'),
    ("Escape", '\u{E00C}'),
    ("Space", ' '),
    ("PageUp", '\u{E00E}'),
    ("PageDown", '\u{E00F}'),
    ("End", '\u{E010}'),
    ("Home", '\u{E011}'),
    ("Left", '\u{E012}'),
    ("Up", '\u{E013}'),
    ("Right", '\u{E014}'),
    ("Down", '\u{E015}'),
];

impl Browser {
    /// Clicks a button or link.
    ///
    /// When that leads to another page, it is loaded on return.
    pub async fn click(&self, name: &str) {
        self.with(Sort::Pressable, name, async |element| self.press_on(element).await)
            .await;
    }

    /// Waits until there is a button or link of this name.
    pub async fn finds(&self, name: &str) {
        self.with(Sort::Pressable, name, async |_| Ok(())).await;
    }

    /// Clicks a button or link twice, as quickly as a hand does.
    pub async fn double_click(&self, name: &str) {
        self.with(Sort::Pressable, name, async |element| {
            let origin = json!({ "type": "pointerMove", "x": 0, "y": 0, "origin": element.write() });
            let (down, up) = (
                json!({ "type": "pointerDown", "button": 0 }),
                json!({ "type": "pointerUp", "button": 0 }),
            );
            self.bring_into_view(element).await?;
            let pointer = json!({ "type": "pointer", "id": "mouse", "actions": [origin, down, up, down, up] });
            self.act(&pointer).await
        })
        .await;
    }

    /// Writes into a field, in the place of what was there: in one go, as from the clipboard.
    ///
    /// A field that is written in parts, such as a date's, is written key by key.
    pub async fn fill(&self, label: &str, value: &str) {
        self.with(Sort::Field, label, async |element| {
            let ready = self.session.run(MAKE_READY, &[element.write()]).await?;
            match ready.as_str() {
                Some("whole") if !value.is_empty() => {
                    self.session
                        .devtools("Input.insertText", json!({ "text": value }))
                        .await
                }
                Some("whole" | "parts") => {
                    self.session.of(element, Method::POST, "clear", Some(json!({}))).await?;
                    self.session
                        .of(element, Method::POST, "value", Some(json!({ "text": value })))
                        .await
                }
                _ => Err(HarnessError::new("it takes no text")),
            }
        })
        .await;
    }

    /// Picks one of a list's options by its text.
    pub async fn pick(&self, label: &str, option: &str) {
        let wanted = squeezed(option);
        let script = "return [...arguments[0].options].find((option) => option.label.trim() === arguments[1])";
        self.with(Sort::Field, label, async |element| {
            let option = self.session.run(script, &[element.write(), json!(wanted)]).await?;
            let Some(option) = Element::read(&option) else {
                return Err(HarnessError::new(format!("it has no option ‘{wanted}’")));
            };
            self.session.of(&option, Method::POST, "click", Some(json!({}))).await
        })
        .await;
    }

    /// Ticks a checkbox or radio button, unless it is ticked.
    pub async fn choose(&self, label: &str) {
        self.tick(label, true).await;
    }

    /// Takes the tick from a checkbox, if there is one.
    pub async fn unchoose(&self, label: &str) {
        self.tick(label, false).await;
    }

    async fn tick(&self, label: &str, on: bool) {
        self.with(Sort::Choice, label, async |element| {
            let is_on = self.session.of(element, Method::GET, "selected", None).await?;
            if is_on != Value::Bool(on) {
                self.press_on(element).await?;
            }
            Ok(())
        })
        .await;
    }

    /// Whether a checkbox or radio button is ticked.
    pub async fn is_chosen(&self, label: &str) -> bool {
        let selected = async |element: &Element| self.session.of(element, Method::GET, "selected", None).await;
        self.with(Sort::Choice, label, selected).await == Value::Bool(true)
    }

    /// What a field holds; of a list, the option's value.
    pub async fn value(&self, label: &str) -> String {
        let held = async |element: &Element| self.session.of(element, Method::GET, "property/value", None).await;
        let value = self.with(Sort::Field, label, held).await;
        value.as_str().unwrap_or_default().to_owned()
    }

    /// Gives a file to a field.
    pub async fn attach(&self, label: &str, path: &Path) {
        let path = json!({ "text": path.display().to_string() });
        self.with(Sort::Attachment, label, async |element| {
            self.session
                .of(element, Method::POST, "value", Some(path.clone()))
                .await
        })
        .await;
    }

    /// Presses keys wherever the focus is: `"Tab"`, `"Shift+Tab"`, `"Enter"`, `"a"`.
    pub async fn press(&self, keys: &str) {
        let keys: Vec<String> = keys.split('+').map(code).collect();
        let down = keys.iter().map(|key| json!({ "type": "keyDown", "value": key }));
        let up = keys.iter().rev().map(|key| json!({ "type": "keyUp", "value": key }));
        let actions: Vec<Value> = down.chain(up).collect();
        let pressed = self
            .act(&json!({ "type": "key", "id": "keyboard", "actions": actions }))
            .await;
        self.done("press keys", pressed).await;
    }

    /// Writes wherever the focus is, key by key.
    pub async fn write(&self, text: &str) {
        let keys = text.chars().map(String::from);
        let strokes = keys.flat_map(|key| ["keyDown", "keyUp"].map(|kind| json!({ "type": kind, "value": key })));
        let actions: Vec<Value> = strokes.collect();
        let written = self
            .act(&json!({ "type": "key", "id": "keyboard", "actions": actions }))
            .await;
        self.done("write", written).await;
    }

    /// What has the focus, by its name.
    pub async fn focused(&self) -> String {
        let focused = self.session.ask(Method::GET, "/element/active", None).await;
        let focused = self.done("find the focus", focused).await;
        let Some(element) = Element::read(&focused) else {
            return String::new();
        };
        let name = self.session.of(&element, Method::GET, "computedlabel", None).await;
        let name = self.done("name what has the focus", name).await;
        squeezed(name.as_str().unwrap_or_default())
    }

    async fn press_on(&self, element: &Element) -> Result<()> {
        let disabled = "return arguments[0].matches(':disabled, [aria-disabled=true]')";
        if self.session.run(disabled, &[element.write()]).await? == Value::Bool(true) {
            return Err(HarnessError::new("it is disabled"));
        }
        self.bring_into_view(element).await?;
        let leads_on = self.session.run(LEADS_ON, &[element.write()]).await? == Value::Bool(true);
        self.session.of(element, Method::POST, "click", Some(json!({}))).await?;
        if leads_on {
            self.wait_for_the_next_page().await;
        }
        Ok(())
    }

    /// The driver waits for a page that is loading, but a click returns before it begins to.
    async fn wait_for_the_next_page(&self) {
        let deadline = Instant::now() + TURNING;
        let is_marked = async || self.session.run("return window.beckonLeaves === true", &[]).await;
        // A fault is an answer too: it comes from between the pages.
        while Instant::now() < deadline && is_marked().await.is_ok_and(|marked| marked == Value::Bool(true)) {
            tokio::time::sleep(PULSE).await;
        }
    }

    /// To the middle of the window, where nothing that sticks to its edges covers it.
    async fn bring_into_view(&self, element: &Element) -> Result<()> {
        let script = "arguments[0].scrollIntoView({ block: 'center', inline: 'nearest', behavior: 'instant' })";
        self.session.run(script, &[element.write()]).await?;
        Ok(())
    }

    async fn act(&self, device: &Value) -> Result<()> {
        let actions = json!({ "actions": [device] });
        self.session.ask(Method::POST, "/actions", Some(actions)).await?;
        Ok(())
    }
}

fn code(key: &str) -> String {
    let named = KEYS.iter().find(|(name, _)| *name == key);
    named.map_or_else(|| key.to_owned(), |(_, code)| code.to_string())
}
