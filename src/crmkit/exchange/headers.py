"""What the columns of a file are called, in the languages in which shops name them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from unicodedata import combining, normalize

#: By field: names of columns. They are compared without case, accents, spaces and punctuation, and not otherwise.
SYNONYMS: Mapping[str, tuple[str, ...]] = {
    "id": ("crmkit id",),
    "name": (
        "name", "full name", "display name", "customer", "customer name", "contact", "contact name",
        "nombre completo",
        "nom complet", "vollständiger name", "kunde", "kundenname", "buong pangalan", "ho ten",
        "họ và tên", "სახელი და გვარი",
        "nome completo", "имя и фамилия", "фио", "naam", "volledige naam",
    ),
    "given_name": (
        "given name", "first name", "firstname", "forename", "christian name", "vorname", "prénom",
        "nombre", "nome",
        "voornaam", "pangalan", "tên", "სახელი", "имя", "fornavn", "imię", "etunimi",
    ),
    "family_name": (
        "family name", "last name", "lastname", "surname", "nachname", "familienname",
        "nom de famille", "apellido",
        "apellidos", "cognome", "sobrenome", "achternaam", "apelyido", "họ", "გვარი", "фамилия",
        "efternavn", "nazwisko",
    ),
    "organisation": (
        "organisation", "organization", "company", "company name", "firm", "business name",
        "firma", "unternehmen",
        "société", "entreprise", "empresa", "azienda", "bedrijf", "kompanya", "công ty",
        "კომპანია", "компания",
        "organization name", "organization 1 name", "employer",
    ),
    "kind": ("kind", "contact kind", "contact type"),
    "honorific": ("honorific", "title", "salutation", "anrede", "civilité", "tratamiento",
        "prefix", "name prefix"),
    "formality": ("formality",),
    "name_order": ("name order",),
    "birth_date": (
        "birth date", "date of birth", "birthday", "dob", "born", "geburtsdatum", "geburtstag",
        "date de naissance",
        "fecha de nacimiento", "data di nascita", "data de nascimento", "geboortedatum",
        "petsa ng kapanganakan",
        "ngày sinh", "დაბადების თარიღი", "дата рождения",
    ),
    "gender": ("gender", "sex", "geschlecht", "sexe", "sexo", "genere", "kasarian", "giới tính",
        "სქესი", "пол"),
    "business": ("business", "is business", "b2b"),
    "internal": ("internal",),
    "locale": ("locale", "language", "lang", "sprache", "langue", "idioma", "lingua", "wika",
        "ngôn ngữ", "ენა", "язык"),
    "zone": ("zone", "time zone", "timezone", "zeitzone", "fuseau horaire"),
    "source": ("source", "lead source", "quelle", "origine", "origen"),
    "classification": ("classification", "category", "customer group", "kundengruppe"),
    "stage": ("stage", "lifecycle stage", "lifecycle"),
    "owner": ("owner", "account owner", "contact owner", "account manager", "betreuer"),
    "first_name_at": ("first name at",),
    "first_name_by": ("first name by",),
    "first_name_how": ("first name how",),
    "email": (
        "email", "e-mail", "email address", "e-mail address", "mail", "e-mail-adresse",
        "emailadresse", "courriel",
        "adresse e-mail", "correo", "correo electrónico", "posta elettronica", "indirizzo email",
        "e-mailadres",
        "địa chỉ email", "thư điện tử", "ელფოსტა", "ელ ფოსტა", "эл почта", "электронная почта", "почта",
        "e-mail 1 value",
        "email 1", "primary email",
    ),
    "email:work": ("work email", "business email", "email work"),
    "email:home": ("home email", "personal email", "email home"),
    "phone": (
        "phone", "phone number", "telephone", "tel", "telefon", "telefonnummer", "téléphone",
        "teléfono", "telefono",
        "telefone", "telefoon", "numero ng telepono", "điện thoại", "số điện thoại", "ტელეფონი", "телефон",
        "phone 1 value", "primary phone", "primary phone number",
    ),
    "phone:mobile": (
        "mobile", "mobile phone", "mobile number", "cell", "cell phone", "cellphone", "handy",
        "mobiltelefon", "portable",
        "móvil", "celular", "cellulare", "di động", "მობილური", "мобильный телефон", "мобильный",
    ),
    "phone:work": ("work phone", "business phone", "phone work", "telefon geschäftlich"),
    "phone:home": ("home phone", "phone home", "landline", "telefon privat"),
    "phone:fax": ("fax", "fax number", "telefax"),
    "postal": ("postal address", "full address", "mailing address", "anschrift"),
    "street": (
        "street", "street number", "address", "address 1", "address line 1", "street address",
        "straße", "strasse",
        "hausnummer", "adresse", "rue", "dirección", "calle", "indirizzo", "via", "endereço",
        "straat", "kalye",
        "địa chỉ", "მისამართი", "адрес", "улица", "billing address", "billing street", "home street",
    ),
    "extended": ("address 2", "address line 2", "street 2", "adresszusatz", "complément d'adresse",
        "apartment", "flat"),
    "box": ("po box", "post office box", "postfach", "boîte postale"),
    "locality": (
        "city", "town", "suburb", "locality", "ort", "stadt", "wohnort", "ville", "ciudad", "città",
        "cidade", "plaats",
        "lungsod", "thành phố", "ქალაქი", "город", "billing city", "home city",
    ),
    "region": (
        "state", "region", "province", "county", "bundesland", "kanton", "région", "provincia",
        "estado", "lalawigan",
        "tỉnh", "რეგიონი", "область", "billing state", "home state",
    ),
    "postcode": (
        "postcode", "post code", "postal code", "zip", "zip code", "zipcode", "plz",
        "postleitzahl", "code postal",
        "código postal", "cap", "cep", "mã bưu điện", "საფოსტო ინდექსი", "индекс", "billing zip",
        "billing postal code",
    ),
    "country": (
        "country", "country code", "land", "pays", "país", "paese", "bansa", "quốc gia", "ქვეყანა", "страна",
        "billing country",
    ),
    "tags": ("tags", "tag", "labels", "groups", "schlagworte", "schlagwörter", "étiquettes",
        "etiquetas", "metki"),
    "note": ("note", "notes", "comment", "comments", "remarks", "notiz", "notizen", "bemerkung",
        "commentaire", "nota",
             "notas", "ghi chú", "შენიშვნა", "заметки"),
    "points": ("points",),
    "relations": (), "preferences": (), "facts": (), "consents": (),
}  # fmt: skip

#: Lists in JSON that only crmkit's own exports have; elsewhere a column of that name holds other things.
_OWN = ("relations", "preferences", "facts", "consents")

#: The same for the columns of orders; those of customers are known there as well.
ORDER_SYNONYMS: Mapping[str, tuple[str, ...]] = {
    "order": ("order", "order number", "order no", "order id", "invoice", "invoice no",
        "invoice number", "receipt",
              "bestellnummer", "auftragsnummer", "rechnungsnummer", "commande",
        "numéro de commande", "pedido", "ordine"),
    "placed_at": ("placed at", "date", "order date", "invoice date", "created at", "datum",
        "bestelldatum", "fecha",
                  "data", "date de commande"),
    "state": ("state", "status", "order status"),
    "channel": ("channel", "sales channel"),
    "currency": ("currency", "währung", "devise", "moneda", "valuta"),
    "line": ("line", "line id", "line no", "position"),
    "sku": ("sku", "stock code", "product code", "item", "item number", "article", "artikelnummer",
        "référence"),
    "product": ("product", "product name", "description", "item name", "lineitem name", "artikel",
        "bezeichnung"),
    "category": ("category", "product category", "kategorie"),
    "quantity": ("quantity", "qty", "menge", "anzahl", "quantité", "cantidad", "quantità",
        "lineitem quantity"),
    "price": ("price", "unit price", "einzelpreis", "preis", "prix", "precio", "prezzo", "lineitem price"),
    "total": ("total", "line total", "amount", "summe", "betrag", "montant", "importe"),
    "tax": ("tax", "vat", "steuer", "mwst", "tva", "iva"),
    "line_kind": ("line kind",),
    "refund_of": ("refund of", "original order"),
    "external:shop": ("customer id", "customer number", "customer no", "kundennummer", "kundennr",
        "numéro client"),
}  # fmt: skip


def folded(header: str) -> str:
    """Return a header as it is compared: without case, accents, spaces and punctuation."""
    plain = normalize("NFKD", header.casefold())
    return "".join(char for char in plain if char.isalnum() and not combining(char))


@cache
def _fields(orders: bool) -> dict[str, str]:
    known = {folded(name): field for field, names in SYNONYMS.items() for name in (field, *names)}
    for field, names in ORDER_SYNONYMS.items() if orders else ():
        known |= {folded(name): field for name in (field, *names)}
    return known


def guess(headers: Sequence[str], *, orders: bool = False) -> dict[str, str]:
    """Return for each header the field that it names; what names none is left out.

    Args:
        headers: the names of the columns.
        orders: whether these are columns of orders.
    """
    found = {}
    for header in headers:
        text = header.strip().removeprefix("\ufeff")
        kind, colon, name = text.partition(":")
        if colon and name and kind in ("email", "phone", "handle", "external", "field", "consent"):
            found[header] = text
        elif field := _fields(orders).get(folded(text)):
            found[header] = field
    own = "points" in found.values()
    return {header: field for header, field in found.items() if own or field not in _OWN}
