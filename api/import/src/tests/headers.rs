//! Headers in nine languages and of many programs: which column fills which value.

use super::super::{Directions, Limits, ParsedFile, Preview};
use super::books::on_disk;
use super::{file, people};

/// Headers in which each column fills a built-in value: `e`mail, `f`irst name, `l`ast name, `w`hole name, language
/// `t`ag, or none of them (`-`).
const HEADERS: &[(&str, &str)] = &[
    // Without accents, and in capitals.
    ("NOM;PRENOM;EMAIL", "lfe"),
    ("Nom;Prenom;Adresse electronique;Langue", "lfet"),
    ("Nom de famille;Prenoms;Mel", "lfe"),
    ("NOMBRE;APELLIDOS;CORREO ELECTRONICO", "fle"),
    ("Nombre;Apellidos;Direccion de correo electronico", "fle"),
    ("Nome;Ultimo nome;Correio eletronico;Lingua", "flet"),
    ("IMIE;NAZWISKO;ADRES E-MAIL;JEZYK", "flet"),
    ("Imie i nazwisko;Adres poczty e-mail", "we"),
    ("Vollstaendiger Name;E-Mail-Adresse", "we"),
    ("Vollstandiger Name;E-Mail-Adresse", "we"),
    ("Förnamn;Efternamn;E-postadress", "fle"),
    ("Fornamn;Efternamn;E-postadress", "fle"),
    ("Pre\u{301}nom;Nom;Courriel", "fle"),
    // One line per language.
    ("Familienname,Vorname(n),E-Mail", "lfe"),
    ("Name,Vornamen,E-Mail", "lfe"),
    ("Nombre,Apellido 1,Apellido 2,Correo", "fl-e"),
    ("Nombre(s),Apellido paterno,Apellido materno,Correo electrónico", "fl-e"),
    (
        "Nombre,Primer apellido,Segundo apellido,Correo electrónico institucional",
        "fl-e",
    ),
    ("Prénom(s),Nom,Mél", "fle"),
    ("Cognome,Nome,Indirizzo posta elettronica", "lfe"),
    ("Nome,Apelido,Endereço de e-mail", "fle"),
    ("Achternaam,Roepnaam,E-mailadres,Taal", "lfet"),
    ("Nazwisko,Imię,Adres poczty elektronicznej", "lfe"),
    ("姓,名,メールアドレス", "lfe"),
    ("氏名,メールアドレス", "we"),
    ("お名前,Eメール", "we"),
    ("お名前（必須）,メールアドレス［必須］", "we"),
    ("【必須】姓,【必須】名,【必須】Ｅメールアドレス", "lfe"),
    ("姓（漢字）,名（漢字）,ﾒｰﾙｱﾄﾞﾚｽ", "lfe"),
    // Names with an owner.
    ("Student First Name,Student Last Name,Student Email", "fle"),
    (
        "First Name,Last Name,Email,Student First Name,Student Email Address",
        "fle--",
    ),
    ("Full Legal Name,Email", "we"),
    ("Legal First Name,Last Name,Email", "fle"),
    ("Preferred First Name,Last Name,Email", "fle"),
    ("Preferred First Name,First Name,Last Name,Email", "-fle"),
    ("Parent First Name,Parent Email,Email", "--e"),
    ("Manager,Manager Email,Work Email", "--e"),
    ("Full name,Preferred First Name,Email", "w-e"),
    ("Name,Full name,Rufname,Email", "-w-e"),
    ("Full name,First name,Email", "-fe"),
    ("Full name,Rufname,Nachname,Email", "-fle"),
    // Notes and numbers.
    ("Courriel (champ obligatoire),Prénom - facultatif,Nom : requis", "efl"),
    (
        "Correo (campo obligatorio),Nombre: obligatorio,Apellidos * obligatorio",
        "efl",
    ),
    ("Adres e-mail (wymagane),Imię (pole wymagane),Nazwisko", "efl"),
    ("E-Mail (Pflichtfeld),Vorname – Pflichtfeld,Nachname *", "efl"),
    ("Email - required,First name: required,Last name * required", "efl"),
    ("required: Email,Optional - First name,Last name?", "efl"),
    ("1. Email,2. First name,3. Last name:", "efl"),
    ("A) Email,B) First name,C) Last name", "efl"),
    ("(1) E-mailadres (verplicht veld),(2) Voornaam,(3) Achternaam", "efl"),
    ("１．メールアドレス,２）氏名", "ew"),
    ("Email,2. Email,Email - optional", "e--"),
    ("Email,Visa - required,Training required", "e--"),
    // Programs.
    ("dn,cn,sn,givenName,mail", "--lfe"),
    ("sn,givenName,mail,mailNickname", "lfe-"),
    ("SN,Email,Room", "-e-"),
    ("profile.login,profile.firstName,profile.lastName,profile.email", "-fle"),
    ("profile.login,profile.firstName,profile.lastName", "efl"),
    ("Benutzerprinzipalname,Anzeigename,Vorname,Nachname", "e-fl"),
    ("Nom d'utilisateur principal,Prénom,Nom", "efl"),
    ("Nom d’utilisateur principal,E-mail,Prénom,Nom", "-efl"),
    ("Nombre principal de usuario,Nombre,Apellidos", "efl"),
    ("Nome dell'entità utente,Nome,Cognome", "efl"),
    ("Nome principal do usuário,Nome,Sobrenome", "efl"),
    ("Principal-naam van gebruiker,Voornaam,Achternaam", "efl"),
    ("Główna nazwa użytkownika,Imię,Nazwisko", "efl"),
    ("ユーザー プリンシパル名,表示名", "ew"),
    ("userPrincipalName,mailNickname,displayName", "e-w"),
    ("Student,ID,SIS User ID,SIS Login ID,Section", "---e-"),
    ("user_id,login_id,email,full_name,sortable_name,short_name", "--ew--"),
    ("username,firstname,lastname,email,lang", "-flet"),
    (
        "First Name [Required],Last Name [Required],Email Address [Required]",
        "fle",
    ),
    (
        "Employee ID,Legal Name - First Name,Legal Name - Last Name,Email - Primary Work",
        "-fle",
    ),
    ("Correo personal,Correo institucional", "-e"),
    // Not a value of these, however similar.
    ("Email,Email sent,Email verified,First name day,Vorname Mutter", "e----"),
    ("Email,Imiesłów,Nombre de la empresa,Nom du client", "e---"),
    ("Email,Telefono,Telefon,Téléphone", "e---"),
    ("Email,Name (2nd),Mel B,Required", "e---"),
    ("Email,Mel,Room", "e--"),
];

/// The built-in values that the columns of a file fill, by letter.
fn filled(text: &str) -> String {
    let (sheet, _) =
        ParsedFile::open_csv(file(text), Limits::default()).unwrap_or_else(|fault| panic!("{text}: {fault}"));
    let letter = |field: &str| match field {
        "email" => 'e',
        "first_name" => 'f',
        "last_name" => 'l',
        "full_name" => 'w',
        "language" => 't',
        _ => '-',
    };
    let columns = sheet.columns();
    columns
        .iter()
        .map(|column| letter(column.field.as_deref().unwrap_or_default()))
        .collect()
}

#[test]
fn headers_in_nine_languages_are_understood() {
    for (header, expected) in HEADERS {
        assert_eq!(filled(&format!("{header}\nx\n")), *expected, "{header}");
    }
}

#[test]
fn a_line_break_or_several_blanks_in_a_header_are_one_blank() {
    let text = "\"E-mail\r\naddress\",\"First \n name\",Last\u{A0}\u{A0}name,\"Start\tdate\",\"Cost\ncentre\"\n\
                ada@example.org,Ada,Lovelace,1.10.,7\n";

    let person = people(text).remove(0);
    let preview = Preview::of(on_disk(text.as_bytes()), &Directions::default(), Limits::default()).unwrap();

    assert_eq!(
        preview.header,
        ["E-mail address", "First name", "Last name", "Start date", "Cost centre"]
    );
    assert_eq!(
        (person.first_name.as_deref(), person.last_name.as_deref()),
        (Some("Ada"), Some("Lovelace"))
    );
    let fields: Vec<&str> = person.fields.keys().map(String::as_str).collect();
    assert_eq!(fields, ["cost_centre", "start_date"]);
}

#[test]
fn a_note_beside_a_name_stays_in_the_name_of_a_merge_field() {
    let person = people("email,Visa - required,2. Room,Team（必須）\na@b.co,yes,,Blue\n").remove(0);

    let fields: Vec<&str> = person.fields.keys().map(String::as_str).collect();
    assert_eq!(fields, ["team", "visa_required"]);
}
