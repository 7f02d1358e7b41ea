//! UTF-8 text that was decoded with another 8-bit code page than Windows-1252: `JosĂ©`, `JosГ©`, `Jos├®`.
//!
//! In these code pages, letters of real names also form sequences that are UTF-8: "KRÍŽ" in Windows-1250. So the whole
//! text must be UTF-8 in the code page and mean letters of European scripts, and one sequence must be such that no name
//! contains it: with a character that is no letter, with two scripts, or with a capital letter behind a small one.

/// Central Europe.
const WINDOWS_1250: &str = "\
    €\u{81}‚\u{83}„…†‡\u{88}‰Š‹ŚŤŽŹ\u{90}‘’“”•–—\u{98}™š›śťžź\
    \u{A0}ˇ˘Ł¤Ą¦§¨©Ş«¬\u{AD}®Ż°±˛ł´µ¶·¸ąş»Ľ˝ľż\
    ŔÁÂĂÄĹĆÇČÉĘËĚÍÎĎĐŃŇÓÔŐÖ×ŘŮÚŰÜÝŢß\
    ŕáâăäĺćçčéęëěíîďđńňóôőö÷řůúűüýţ˙";

/// Cyrillic.
const WINDOWS_1251: &str = "\
    ЂЃ‚ѓ„…†‡€‰Љ‹ЊЌЋЏђ‘’“”•–—\u{98}™љ›њќћџ\
    \u{A0}ЎўЈ¤Ґ¦§Ё©Є«¬\u{AD}®Ї°±Ііґµ¶·ё№є»јЅѕї\
    АБВГДЕЖЗИЙКЛМНОПРСТУФХЦЧШЩЪЫЬЭЮЯ\
    абвгдежзийклмнопрстуфхцчшщъыьэюя";

/// Western Europe, in command lines.
const CODE_PAGE_850: &str = "\
    ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜø£Ø×ƒ\
    áíóúñÑªº¿®¬½¼¡«»░▒▓│┤ÁÂÀ©╣║╗╝¢¥┐\
    └┴┬├─┼ãÃ╚╔╩╦╠═╬¤ðÐÊËÈıÍÎÏ┘┌█▄¦Ì▀\
    ÓßÔÒõÕµþÞÚÛÙýÝ¯´\u{AD}±‗¾¶§÷¸°¨·¹³²■\u{A0}";

/// America, in command lines.
const CODE_PAGE_437: &str = "\
    ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒ\
    áíóúñÑªº¿⌐¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐\
    └┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀\
    αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■\u{A0}";

/// Western Europe, on old Macs.
const MAC_ROMAN: &str = "\
    ÄÅÇÉÑÖÜáàâäãåçéèêëíìîïñóòôöõúùûü\
    †°¢£§•¶ß®©™´¨≠ÆØ∞±≤≥¥µ∂∑∏π∫ªºΩæø\
    ¿¡¬√ƒ≈∆«»…\u{A0}ÀÃÕŒœ–—“”‘’÷◊ÿŸ⁄€‹›ﬁﬂ\
    ‡·‚„‰ÂÊÁËÈÍÎÏÌÓÔ\u{F8FF}ÒÚÛÙıˆ˜¯˘˙˚¸˝˛ˇ";

/// The upper halves of the code pages.
const CODE_PAGES: [&str; 5] = [WINDOWS_1250, WINDOWS_1251, CODE_PAGE_850, CODE_PAGE_437, MAC_ROMAN];

/// The texts that may have been decoded with the wrong code page; none if it was not. The page is not always clear.
pub(super) fn originals(text: &str) -> Vec<String> {
    let mut originals = Vec::new();
    if text.is_ascii() {
        return originals;
    }
    for page in CODE_PAGES {
        let meant = original_in(page, text, |sequences| {
            sequences.iter().any(Sequence::is_in_no_name) || is_other_script(sequences)
        });
        originals.extend(meant.filter(|meant| !originals.contains(meant)));
    }
    originals
}

/// The text before it was decoded with Windows-1250, if it is garbled for sure.
///
/// Windows-1250 has many characters of Windows-1252 in the same places, so that a part may be undone with either.
pub(super) fn central_european(garbled: &str) -> Option<String> {
    original_in(WINDOWS_1250, garbled, |_| true)
}

fn original_in(page: &str, text: &str, is_garbled: impl Fn(&[Sequence<'_>]) -> bool) -> Option<String> {
    let bytes: Option<Vec<u8>> = text.chars().map(|c| byte_of(page, c)).collect();
    let meant = String::from_utf8(bytes?).ok()?;
    let shown: Vec<char> = text.chars().collect();
    let mut place = 0;
    let mut sequences = Vec::new();
    for letter in meant.chars() {
        let end = place + letter.len_utf8();
        if !letter.is_ascii() {
            sequences.push(Sequence {
                before: place.checked_sub(1).and_then(|place| shown.get(place)).copied(),
                shown: shown.get(place..end)?,
                after: shown.get(end).copied(),
                letter,
            });
        }
        place = end;
    }
    let is_meant = sequences.iter().all(Sequence::is_plausible) && is_garbled(&sequences);
    is_meant.then(|| meant.trim().to_owned())
}

/// The byte of a character.
fn byte_of(page: &str, c: char) -> Option<u8> {
    if c.is_ascii() {
        return u8::try_from(c).ok();
    }
    let place = page.chars().position(|high| high == c)?;
    u8::try_from(0x80 + place).ok()
}

/// The characters in place of a letter, and those around them.
struct Sequence<'a> {
    before: Option<char>,
    shown: &'a [char],
    after: Option<char>,
    letter: char,
}

impl Sequence<'_> {
    /// Whether the letter occurs in names.
    fn is_plausible(&self) -> bool {
        self.is_latin() || is_greek_or_cyrillic(self.letter) || self.is_punctuation()
    }

    fn is_latin(&self) -> bool {
        // Some Romanian, Vietnamese and Azerbaijani letters are in other blocks than the rest.
        let is_single = matches!(self.letter, 'Ș' | 'ș' | 'Ț' | 'ț' | 'Ơ' | 'ơ' | 'Ư' | 'ư' | 'Ə' | 'ə');
        let is_sign = matches!(self.letter, '×' | '÷');
        is_single || (!is_sign && matches!(self.letter, '\u{C0}'..='\u{17F}' | '\u{1E00}'..='\u{1EFF}'))
    }

    fn is_punctuation(&self) -> bool {
        matches!(
            self.letter,
            '‘' | '’' | '“' | '”' | '–' | '—' | '…' | '´' | '·' | '\u{A0}'
        )
    }

    /// Whether no name contains this sequence.
    fn is_in_no_name(&self) -> bool {
        let (Some(&lead), Some(&last)) = (self.shown.first(), self.shown.last()) else {
            return false;
        };
        match self.shown {
            // "вЂ™" and "ÔÇÖ" for ’.
            [_, _, _] if self.is_punctuation() => true,
            _ if !self.is_latin() => false,
            _ if matches!(lead, '√' | '≈' | '∆') || self.shown.iter().any(|&c| is_drawn(c)) => true,
            _ if is_greek_or_cyrillic(lead) => self.is_beside_latin(),
            [_, _, _] => matches!(lead, 'á'),
            _ => matches!(lead, 'Ă' | 'Ä' | 'Ĺ') && self.is_miswritten(lead, last),
        }
    }

    fn is_beside_latin(&self) -> bool {
        [self.before, self.after]
            .iter()
            .flatten()
            .any(char::is_ascii_alphabetic)
    }

    /// Whether `last` does not follow the capital letter `lead` in a name of Central Europe.
    ///
    /// It does in "BĂŞESCU" and "DĹŽKA", and after a family name in capitals may be a dash: "GHICĂ–POP".
    fn is_miswritten(&self, lead: char, last: char) -> bool {
        let is_lower = |c: Option<char>| c.is_some_and(char::is_lowercase);
        let starts_word = !self.before.is_some_and(char::is_alphabetic);
        if last.is_lowercase() {
            // "MĂśLLER" and "JesĂşs"; at the start of a word only where no name starts with the letter.
            return !starts_word || lead != 'Ä';
        }
        if last.is_alphabetic() {
            return is_lower(self.before) || is_lower(self.after);
        }
        let is_before_letter = self.after.is_some_and(char::is_alphabetic);
        let may_follow_a_word = match last {
            '–' | '—' | '‘' | '’' | '\u{A0}' | '\u{AD}' => true,
            '‚' | '“' | '”' | '„' | '…' | '«' | '»' | '‹' | '›' => !is_before_letter,
            _ => false,
        };
        // No word ends with Ĺ.
        !may_follow_a_word || lead == 'Ĺ' || starts_word || is_lower(self.before)
    }
}

/// Whether this is text in another script: "Р\u{98}РІР°РЅ" for "Иван".
///
/// In capitals, a few Cyrillic words are such sequences of letters. So one must have a sign, or a capital letter behind
/// a small one.
fn is_other_script(sequences: &[Sequence<'_>]) -> bool {
    let is_odd = |sequence: &Sequence<'_>| {
        let lead = sequence.shown.first().copied().unwrap_or_default();
        let has_sign = sequence.shown.iter().any(|c| !c.is_alphabetic());
        let before = [sequence.before.unwrap_or(' '), lead];
        let has_capital = |pair: &[char]| pair.is_sorted_by(|a, b| a.is_lowercase() && b.is_uppercase());
        has_sign || has_capital(&before) || has_capital(sequence.shown)
    };
    let fits = |sequence: &Sequence<'_>| is_greek_or_cyrillic(sequence.letter) || sequence.is_punctuation();
    sequences.len() > 1 && sequences.iter().all(fits) && sequences.iter().any(is_odd)
}

fn is_greek_or_cyrillic(c: char) -> bool {
    matches!(c, '\u{386}'..='\u{3CE}' | '\u{401}'..='\u{45F}' | 'Ґ' | 'ґ')
}

/// Whether this is a character for drawing boxes.
fn is_drawn(c: char) -> bool {
    matches!(c, '\u{2500}'..='\u{259F}')
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Names and other values in which letters follow each other as in garbled text.
    const ORDINARY: &str = "\
        Ada José JOSÉ Müller MÜLLER ÄÖÜ Łukasz ŁUKASZ Środa KOŚCIÓŁ GÓŁ Wałęsa Źdźbło KRÍŽ KŘÍŽ BÚŠ MÚŽ DĹŽKA \
        DVOŘÁK Škoda ČŠ Žižka Ľuboš VÄŽNÍK Äž BĂŞESCU Băsescu IONIȚĂ IONIŢĂ IONIŢĂ–POPESCU GHICĂ–POP GHICĂ-POP \
        GHICĂ Ăla ĂŞTI Đặng ĐẶNG Đš Đorđe Nguyễn Иван ИВАН Пётр ПЁТР Зоё Её Ђорђе ЂОРЂЕ Љиљана ЊЕГОШ Јован Ѓорѓи \
        Ќирил Їжак СІРІ РІРІ Сії Її ЄВА Ґедеон Ўладзімір Γιώργος ΓΙΏΡΓΟΣ Ñandú ÔÇ Çağlar ŞÜKRÜ İnci Ærø Þóra \
        ÞÓRA Ðóra ß Groß GROẞ Ō Šķēle Žemaitė Őze ŐZE Tőkés ŰR «Émile» «É “Bob” – ½ ─ √2 √ ™ 李 ジョン عمر O’Brien \
        D´Angelo Zoë… ƒ L·L";

    #[test]
    fn text_in_the_wrong_code_page_is_detected_with_the_original() {
        for (garbled, meant) in [
            // Windows-1250
            ("JosĂ©", "José"),
            ("MĂĽller", "Müller"),
            ("JesĂşs", "Jesús"),
            ("MĂśLLER", "MÜLLER"),
            ("Ă–zil", "Özil"),
            ("Ă\u{81}dĂˇm", "Ádám"),
            ("StanisĹ‚aw WaĹ‚Ä™sa", "Stanisław Wałęsa"),
            ("ÄŚenÄ›k", "Čeněk"),
            ("Ĺšroda", "Środa"),
            ("ForĂŞt", "Forêt"),
            ("RUBEĹ\u{A0}A", "RUBEŠA"),
            ("JĂ“NATANS", "JÓNATANS"),
            ("Ă“ Hanraoi", "Ó Hanraoi"),
            ("Nguyá»…n Tháşż", "Nguyễn Thế"),
            ("Oâ€™Brien JosĂ©", "O’Brien José"),
            ("Đ\u{98}Đ˛Đ°Đ˝", "Иван"),
            // Windows-1251
            ("JosГ©", "José"),
            ("MГјller", "Müller"),
            ("ConstanИ›a", "Constanța"),
            ("ЕЃukasz", "Łukasz"),
            ("Р\u{98}РІР°РЅ", "Иван"),
            ("РџРµС‚СЂ", "Петр"),
            ("OвЂ™Brien", "O’Brien"),
            // Code pages 850 and 437
            ("Jos├®", "José"),
            ("Jos├⌐", "José"),
            ("M├╝ller", "Müller"),
            ("Stanis┼éaw", "Stanisław"),
            ("S╞ÅBIR╞Å", "SƏBIRƏ"),
            ("ðíðÿðøðÿðØ", "СИЛИН"),
            ("OÔÇÖBrien", "O’Brien"),
            ("OΓÇÖBrien", "O’Brien"),
            ("╨ÿ╨▓╨░╨╜", "Иван"),
            // Mac OS Roman
            ("Jos√©", "José"),
            ("Stanis≈Çaw", "Stanisław"),
            ("O‚ÄôBrien", "O’Brien"),
        ] {
            assert_eq!(originals(garbled), [meant], "{garbled}");
        }
    }

    #[test]
    fn text_that_two_code_pages_explain_has_two_originals() {
        assert_eq!(originals("Dion├¥s"), ["Dionþs", "DionÝs"]);
        assert_eq!(central_european("ÄŽURKOVIÄŚ").as_deref(), Some("ĎURKOVIČ"));
    }

    #[test]
    fn ordinary_names_are_not_changed() {
        let texts = [
            "Trần Thị Ánh",
            "Ивановић (Ivanović)",
            "€ 5",
            "├ Sales",
            "├─ Sales",
            "5 ≈ 6",
        ];
        for name in ORDINARY.split(' ').chain(texts) {
            assert!(originals(name).is_empty(), "{name}");
        }
        assert!(ORDINARY.split(' ').count() > 90);
    }
}
