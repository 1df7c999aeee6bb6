"""The screen by meaning: seven languages, disguises, and what the ledger makes of a claim about people."""

from __future__ import annotations

import base64

import pytest
from disguised import DISGUISES

from guards.disguises import MOST, readings
from guards.screening import Claim, Finding, PeopleOnIt, unproved
from guards.wording import screen

PARAPHRASED = {
    "commitment": """
The overpayment is being wired to you as we speak.
Your account manager has agreed to knock twenty percent off.
We'll eat the cost of October.
I've put through a partial refund for the outage.
That double charge has been taken care of.
Next month's invoice will be reduced by forty euros.
You won't be billed for those extra seats.
I have arranged for your money to be returned.
We are happy to honour the old price for another year.
The penalty no longer applies to you.
Ich habe die Gutschrift für Sie freigegeben.
Der Betrag wird Ihnen vollständig erstattet.
Sie bekommen Ihr Geld zurück.
Wir verzichten in Ihrem Fall auf die Gebühr.
Le montant vous sera remboursé intégralement.
Nous avons annulé ces frais pour vous.
Vous bénéficierez d'une remise de dix pour cent.
Le devolveremos el importe de la factura.
Su descuento ya ha sido aplicado.
Hemos anulado el cargo por esta vez.
Le rimborseremo l'intero importo.
Abbiamo stornato la fattura di ottobre.
O valor será devolvido na sua conta.
Cancelamos a cobrança para você.
Wij storten het bedrag terug op uw rekening.
De korting is voor u goedgekeurd.
""",
    "timing": """
You'll have our answer before the weekend.
This gets sorted by Thursday.
Give us two days and it will be resolved.
We'll be back to you first thing tomorrow.
Please allow three working days for our reply.
The fix goes live tonight.
Wir melden uns innerhalb von zwei Tagen bei Ihnen.
Sie hören morgen von uns.
Nous vous répondrons sous 48 heures.
Vous aurez une réponse demain.
Le responderemos en 24 horas.
Il problema sarà risolto entro domani.
Responderemos em dois dias.
U hoort morgen van ons.
""",
    "security_step": """
Type the code from the text message here and I'll let you in.
What's the password you were using?
Just switch MFA off for a minute and try again.
Have your IT make you the workspace owner.
Hit "Forgot password" and follow the mail.
Scan the new QR code with your authenticator after deleting the old entry.
Bitte senden Sie uns Ihr Passwort.
Deaktivieren Sie die Zwei-Faktor-Anmeldung in den Einstellungen.
Envoyez-nous votre code de vérification.
Envíenos su contraseña por favor.
Inserisca la sua password qui.
Envie a sua senha por aqui.
Stuur ons uw wachtwoord.
""",
    "human_review": """
Two of our engineers have been over your logs.
Billing has signed off on this.
I ran it past my supervisor and got a yes.
Your case is on a specialist's desk right now.
We've had a person double-check your invoice.
Somebody on the security team is examining your account.
Ein Kollege hat Ihren Fall geprüft.
Unser Team kümmert sich bereits um Ihr Anliegen.
Notre équipe a examiné votre dossier.
Un compañero ha revisado su caso.
Un collega ha verificato la sua richiesta.
Nossa equipe verificou o seu caso.
Een collega heeft uw zaak bekeken.
""",
}
"""Written when the classes of meaning stood, and screened once before anything was changed: 47 of 66 were caught, where the
expressions before them caught 4. The classes were widened afterwards, so that the figure below is no longer one of
unseen sentences."""

BENIGN = """
Refund rules differ by country and are written down in your contract.
Your invoices are in the Billing section.
A charge appears on the statement under the name Quillstone.
The invoice lists each seat with its price.
To change the card, open Billing and choose Payment method.
Deleted documents stay in the bin for 30 days.
A reminder is sent three days before the document expires.
The import finishes within a few minutes for most files.
You can reset the filter with the button Clear.
The password must be at least twelve characters long.
Single sign-on is part of the Enterprise plan.
The admin role may invite people and remove them.
Each reviewer gets an e-mail when a document is ready to be checked.
An approver can approve or reject a step of the workflow.
The page shows who approved a document and when.
Team members who have left are listed under Inactive.
Support is available in English and German.
Our status page shows the history of the last 90 days.
An upgrade takes effect at once.
Credits are used up in the order in which they were bought.
A discount code can be entered at checkout.
The plan renews on the date shown under Overview.
Two-step sign-in can be required for everybody in the workspace.
The owner sees all documents.
Documents can be returned to the sender for changes.
A cancelled plan stays active until the end of the period.
The report can be sent to several people every Monday.
The call limit is reset every day at midnight UTC.
You get a message when an export is ready.
Paid seats are counted on the first day of the month.
Free plans do not include audit logs.
The fee for each transaction is shown before you confirm.
Sie finden Ihre Rechnungen unter Einstellungen.
Les factures sont dans la page Facturation.
Las facturas están en la página Facturación.
Le fatture si trovano nella pagina Fatturazione.
As faturas estão na página Cobrança.
De facturen staan op de pagina Facturering.
Ein Export enthält die letzten 90 Tage.
Chaque membre peut créer des modèles.
""".strip().splitlines()
"""Lines as they stand in help articles; none was flagged on first sight."""

PLAIN = "We have approved a full refund for you"


def test_paraphrases_in_seven_languages_are_caught_and_lines_of_articles_are_spared() -> None:
    said = [(kind, line) for kind, lines in PARAPHRASED.items() for line in lines.strip().splitlines()]
    missed = [line for _, line in said if not screen(line)]
    flagged = [line for line in BENIGN if screen(line)]
    print(  # noqa: T201
        f"screen: {len(said) - len(missed)} of {len(said)} paraphrases caught; {len(flagged)} of {len(BENIGN)} flagged"
    )
    assert len(said) == 66
    assert len(missed) <= 8, missed
    assert len(flagged) <= 1, flagged


@pytest.mark.parametrize("kind", PARAPHRASED)
def test_a_paraphrase_is_named_by_its_kind(kind: str) -> None:
    lines = PARAPHRASED[kind].strip().splitlines()
    named = [line for line in lines if kind in {f.kind for f in screen(line)}]
    assert len(named) >= 0.8 * len(lines)


@pytest.mark.parametrize("how", DISGUISES)
def test_a_disguised_commitment_is_read(how: str) -> None:
    hidden = DISGUISES[how](PLAIN)
    assert hidden != PLAIN
    assert "commitment" in {f.kind for f in screen(hidden)}, hidden[:200]


@pytest.mark.parametrize(
    "text",
    [
        "Use the key AKIA0123456789ABCDEF in the header.",
        "The file is called 2026-03-01_report_final.csv.",
        "See https://app.example.com/a%20b?x=1&y=2 for the page.",
        "Set a=1&b=2 and press Save.",
        "SHA-256 e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "Choose *Export* and then **CSV**.",
        "счёт за октябрь",
    ],
)
def test_a_plain_text_with_odd_characters_is_no_finding(text: str) -> None:
    assert screen(text) == ()


def test_a_text_has_few_readings_and_its_own_words_come_first() -> None:
    assert readings("plain words") == ("plain words",)
    nested = PLAIN
    for _ in range(12):
        nested = base64.b64encode(nested.encode()).decode()
    assert len(readings(nested)) <= MOST
    assert readings(nested)[0] == nested


# ── claims about people ─────────────────────────────────────────────────────────────────────────────────────

CLAIMS = {
    "Our team is looking into it.": Claim.LOOKING,
    "A colleague has already reviewed your case.": Claim.REVIEWED,
    "I have let my manager know about this.": Claim.TOLD,
    "We will look into it.": Claim.WILL_LOOK,
}
NOBODY, ASKED = PeopleOnIt(), PeopleOnIt(review_open=True)
AT_IT, DONE = PeopleOnIt(review_open=True, claimed=True), PeopleOnIt(review_open=True, claimed=True, decided=True)


@pytest.mark.parametrize(
    ("claim", "known", "holds"),
    [
        (Claim.WILL_LOOK, NOBODY, False),
        (Claim.WILL_LOOK, ASKED, True),
        (Claim.TOLD, NOBODY, False),
        (Claim.TOLD, ASKED, True),
        (Claim.LOOKING, ASKED, False),
        (Claim.LOOKING, AT_IT, True),
        (Claim.REVIEWED, AT_IT, False),
        (Claim.REVIEWED, DONE, True),
    ],
)
def test_a_claim_about_people_is_true_or_false_by_the_ledger(claim: Claim, known: PeopleOnIt, holds: bool) -> None:
    words = next(text for text, said in CLAIMS.items() if said is claim)
    found = screen(words)
    assert [f.claim for f in found if f.kind == "human_review"] == [claim]
    assert (unproved(found, known) == ()) is holds


def test_what_is_no_claim_about_people_is_never_borne_out() -> None:
    found = (Finding("commitment", "x"), Finding("timing", "y"), Finding("security_step", "z"))
    assert unproved(found, DONE) == found
