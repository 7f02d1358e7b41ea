//! User actions: click, type, tick, attach.

use std::path::Path;
use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};

use super::find::{Sort, squeezed};
use super::wire::Element;
use super::{Browser, PULSE};
use crate::error::{HarnessError, Result};

/// How long a click may take to start loading the next page. Waited in full only where a script handles the click
/// itself.
const TURNING: Duration = Duration::from_secs(5);

/// Whether a click on this element leads to another page; if so, the current page is marked.
const LEADS_ON: &str = r"
const it = arguments[0], form = it.form;
const link = it.closest('a[href]');
const leads = link
  ? !link.getAttribute('href').startsWith('#') && !link.target && !link.hasAttribute('download')
  : form && it.type === 'submit' && !(it.formTarget || form.target) && (form.noValidate || it.formNoValidate || form.checkValidity());
if (leads) window.beckonLeaves = true;
return Boolean(leads);
";

/// Focuses a field and selects its content. Returns whether the field is written as a whole or in parts, or nothing
/// when it is not editable.
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

/// Named keys and their code points in the `WebDriver` protocol.
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
    /// If the click leads to another page, that page has loaded on return.
    pub async fn click(&self, name: &str) {
        self.with(Sort::Pressable, name, async |element| self.press_on(element).await)
            .await;
    }

    /// Waits until there is a button or link with this name.
    pub async fn finds(&self, name: &str) {
        self.with(Sort::Pressable, name, async |_| Ok(())).await;
    }

    /// Double-clicks a button or link.
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

    /// Replaces the content of a field in one step, as if pasted.
    ///
    /// A field with several parts, such as a date, is typed key by key.
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

    /// Selects an option of a list by its text.
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

    /// Ticks a checkbox or radio button unless it is already ticked.
    pub async fn choose(&self, label: &str) {
        self.tick(label, true).await;
    }

    /// Unticks a checkbox if it is ticked.
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

    /// The value of a field; for a list, the value of the selected option.
    pub async fn value(&self, label: &str) -> String {
        let held = async |element: &Element| self.session.of(element, Method::GET, "property/value", None).await;
        let value = self.with(Sort::Field, label, held).await;
        value.as_str().unwrap_or_default().to_owned()
    }

    /// Attaches a file to a field.
    pub async fn attach(&self, label: &str, path: &Path) {
        let path = json!({ "text": path.display().to_string() });
        self.with(Sort::Attachment, label, async |element| {
            self.session
                .of(element, Method::POST, "value", Some(path.clone()))
                .await
        })
        .await;
    }

    /// Presses keys in the focused element: `"Tab"`, `"Shift+Tab"`, `"Enter"`, `"a"`.
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

    /// Types into the focused element, key by key.
    pub async fn write(&self, text: &str) {
        let keys = text.chars().map(String::from);
        let strokes = keys.flat_map(|key| ["keyDown", "keyUp"].map(|kind| json!({ "type": kind, "value": key })));
        let actions: Vec<Value> = strokes.collect();
        let written = self
            .act(&json!({ "type": "key", "id": "keyboard", "actions": actions }))
            .await;
        self.done("write", written).await;
    }

    /// The name of the focused element.
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

    /// Waits for the next page to start loading; the driver's click returns before loading starts.
    async fn wait_for_the_next_page(&self) {
        let deadline = Instant::now() + TURNING;
        let is_marked = async || self.session.run("return window.beckonLeaves === true", &[]).await;
        // An error also means that the page is being replaced.
        while Instant::now() < deadline && is_marked().await.is_ok_and(|marked| marked == Value::Bool(true)) {
            tokio::time::sleep(PULSE).await;
        }
    }

    /// Scrolls the element to the middle of the window, where no sticky element covers it.
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
