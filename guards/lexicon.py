"""The words by which money, time, secrets and people's looks are told of, in seven languages, as classes of meaning."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence

# One word a blank; `stem*` takes any ending, `two_words` stand side by side. Accents are left off: texts are read without.
ENGLISH: Mapping[str, str] = {
    "me": "i we on_us on_the_house my_word",
    "ours": "us our my",
    "you": "you your yours yourself",
    "that": "the this that it these those your everything case ticket matter message clause account contract you",
    "case": "this it that you your case ticket matter message everything",
    "future": "will ll shall going gonna",
    "perfect": "have has had ve been was were got did went_through gone_through came_through",
    "being": "is are be am being s re",
    "benefit": "refund refunds credit credits discount* rebate* reimbursement* compensation voucher* goodwill waiver* "
    "reduction* concession* coupon* deduction* money_back price_cut free_month extra_month percent_off %_off payout*",
    "verbal": "refund credit discount comp rebate",
    "liability": "charge charges fee fees payment payments invoice invoices bill bills cost costs debit amount sum "
    "penalty overpayment surcharge debt balance price money cash funds",
    "money": "money cash funds amount sum balance payment $ € £ usd eur gbp dollars euros pounds",
    "refunded": "refunded refunding reimburse reimbursed reimburses reimbursing compensate compensated compensating repay "
    "repaid repaying waive waived waiving credited crediting recompense* made_good",
    "grant": "approve approved approves approving grant grants granted granting issue issued issuing apply applied applies "
    "applying process processed processing pay pays paid paying give gave given giving offer offers offered offering "
    "arrange* authori* confirm confirmed confirms add added adding send sent sending put honour* honor* extend* sort "
    "sorted settle settled clear cleared accept* agree agreed agrees sanction* secure* provide* book booked transfer* "
    "signed_off went_through gone_through came_through on_its_way on_the_way in_place make made making",
    "relieve": "cancel* remove* removing reverse* reversing reversal dropped drop dropping void* write_off wrote_off "
    "written_off forgive* forgave forgiven stop stopped return returned returning undo undone delete* strike struck wipe* "
    "erase* clear cleared lower* reduce* reducing halve* cut deduct* adjust* absorb* cover covered rescind* annul* waive* "
    "offset taken_care_of no_longer_applies no_longer_apply wire wired wiring eat ate swallow*",
    "honour": "honour* honor* keep match",
    "billed": "billed charged invoiced",
    "not": "not t never no",
    "take": "took taken take taking knock* strip* shave*",
    "off": "off",
    "change": "changed upgraded downgraded restored unlocked reset extended reactivated closed deleted",
    "state": "subscription seat seats account access licence* license* order plan contract role",
    "get": "get gets getting receive* see find expect* appear* land lands arrive* reach reaches come comes back",
    "back": "back",
    "stay": "stay stays remain remains stands holds in_place",
    "entitled": "entitled eligible owed qualify qualifies qualified deserve*",
    "free": "free gratis on_us on_the_house no_charge without_charge no_cost free_of_charge nothing_to_pay owe_nothing "
    "not_charged never_charged not_be_charged not_pay",
    "this_time": "this_time this_once just_once for_once exceptionally",
    "gone": "gone done settled sorted cancelled canceled paid dropped forgotten refunded waived history approved",
    "consider": "consider regard",
    "promise": "promise promised promises guarantee guaranteed guarantees commit commits assure* my_word",
    "sure": "rest_assured count_on_it make_sure as_an_exception make_an_exception made_an_exception making_an_exception",
    "exception": "as_an_exception make_an_exception made_an_exception making_an_exception",
    "approved": "approved granted accepted authorised authorized",
    "request": "request claim application appeal",
    "unable": "cannot unable decline* deny denied refuse* reject* can_t won_t can_not will_not not_able",
    "refusable": "refund refunds credit waive discount return returns exception compensation reimbursement",
    # time
    "when": "today tomorrow tonight shortly soon momentarily asap immediately right_away straight_away any_minute "
    "any_moment in_due_course overnight this_afternoon this_morning this_evening this_week next_week next_month next_hour "
    "eod end_of_day close_of_business before_noon by_noon by_midday before_lunch first_thing in_no_time",
    "at": "by before on until this next",
    "day": "monday tuesday wednesday thursday friday saturday sunday weekend noon midday evening morning lunchtime",
    "within": "within in under inside next less max fewer allow us",
    "number": "a an one two three four five six seven eight nine ten twelve few couple several half",
    "unit": "second seconds minute minutes min mins hour hours hrs day days week weeks month months",
    "reply": "reply replies respond* response answer answers hear contact call calls phone ring get_back getting_back "
    "reach_out follow_up update_you an_update in_touch message_you email_you write_to_you be_reviewed ring_you",
    "resolve": "fix* resolve* resolving resolution restored restore solved solve repaired rectified",
    "finished": "over done ready working normal live back online sorted finished",
    "trouble": "outage* incident* problem* issue issues bug bugs disruption service system error",
    "expect": "expect expects allow",
    "aim": "aim aims try tries hope hopes plan_to usually should",
    # secrets and rights
    "secret": "password passwords passcode* pin otp cvv cvc passphrase ssn security_code verification_code recovery_code "
    "recovery_codes backup_code backup_codes one_time_code one_time_password time_code digit_code sms_code login_code "
    "access_code date_of_birth maiden_name security_question birth_date authentication_code login_link magic_link "
    "confirmation_code",
    "ask": "send tell give provide share reply confirm forward need dictate read_out read_me what_is what_was what_s please may_i could_you can_you "
    "message text post",
    "code": "code digits",
    "sent": "text sms phone texted received",
    "owner": "owner admin administrator",
    "made": "make_you making_you made_you become",
    "switch": "switch turn turning switching flip",
    "step": "click press tap go open use enter follow reset choose select type scan visit generate request unlock restore",
    "forgot": "forgot_password forgotten_password reset_password reset_your_password reset_the_password unlock_your_account "
    "unlock_the_account",
    "disable": "disable* disabling turn_off turning_off turned_off switch_off deactivat* bypass* skip remove removing reset "
    "unenrol* detach turn_it_off",
    "factor": "2fa mfa two_factor two_step multi_factor multifactor authenticator sso single_sign_on saml second_factor "
    "passkey security_key authentication",
    "hand": "transfer* change reassign* assign promote give make ask grant hand request become",
    "rights": "ownership owner_role admin_role admin_rights owner_rights admin_access an_owner an_admin the_owner_role "
    "administrator_rights",
    "never": "never",
    # people
    "person": "colleague* human humans person specialist* agent agents manager* team teams engineer* lead leads "
    "supervisor* lawyer* expert* somebody someone staff director* boss developer* technician* officer* counsel department finance billing_has legal_has finance_has",
    "looked": "reviewed looked checked approved investigated confirmed examined read agreed agree agrees signed_off "
    "verified assessed evaluated handled studied inspected analysed analyzed considered gone_over been_over been_through double_check*",
    "looking": "reviewing looking checking investigating examining verifying assessing handling analysing analyzing "
    "working on_it on_the_case",
    "look": "look review investigate examine check",
    "signed": "signed",
    "told": "told informed notified asked spoke spoken escalated forwarded passed consulted flagged raised discussed ran_it run_it "
    "alerted checked confirmed",
    "let": "let",
    "know": "know",
    "who": "who which whether if",
    "whom": "by",
    # what stands beside a noun and makes a name of it ("the refund policy"), or a verb ("we refund")
    "tail": "policy policies page pages code codes method methods date dates address addresses number numbers settings "
    "history terms recipients recipient list card cards admin admins period cycle cycles details field desk portal format "
    "currency limit limits range ranges note notes",
    "lead": "i we you ll will can could shall to may might gladly fully now happily not would t d",
}

_OTHERS: Mapping[str, Mapping[str, str]] = {
    "de": {
        "mark": "der das ich wir sie ihr ist und nicht ein eine einen einer mit von zu auf fur wird werden wurde haben hat "
        "sind ihre ihnen ihren ihrer bei dem den es noch unser unsere bitte dass",
        "benefit": "gutschrift* ruckerstattung* erstattung* rabatt* nachlass* entschadigung* antrag* kulanz* gutschein* "
        "preisnachlass* geld_zuruck",
        "liability": "gebuhr* betrag rechnung* kosten zahlung* belastung* geld summe abbuchung*",
        "refunded": "erstatten erstattet erstatte zuruckerstatt* ruckerstatten gutschreiben gutgeschrieben zuruckzahlen "
        "zuruckgezahlt zuruckuberweis* zuruckuberwiesen entschadigen entschadigt erlassen gut_geschrieben",
        "grant": "genehmigt genehmigen gewahren gewahrt bewilligt bewilligen erteilt erteilen veranlasst angewiesen "
        "uberwiesen uberweisen bestatigt freigegeben zugesagt ausgestellt bekommen erhalten verrechnet abgezogen zusteht "
        "berechtigt anspruch gelten gilt",
        "relieve": "storniert stornieren erlassen entfall* gestrichen streichen zuruckgenommen verzichten reduziert gesenkt "
        "ubernehmen ubernommen",
        "pay": "zahlen uberweisen bekommen erhalten geben schreiben buchen",
        "back": "zuruck gut",
        "free": "kostenlos kostenfrei gratis",
        "this_time": "diesmal ausnahmsweise einmalig",
        "promise": "verspreche versprechen garantiere garantieren zusichern ausnahmsweise",
        "when": "heute morgen ubermorgen bald umgehend sofort demnachst montag dienstag mittwoch donnerstag freitag",
        "within": "innerhalb binnen in",
        "unit": "stunde* tag tage tagen werktag* woche* minute*",
        "reply": "antworten antwort antworte melden meldet melde kontaktieren kontaktiert zuruckrufen anrufen horen ruft",
        "resolve": "behoben beheben gelost repariert wiederhergestellt",
        "secret": "passwort* kennwort* pin bestatigungscode* sicherheitscode* wiederherstellungscode* einmalcode* tan",
        "factor": "zwei_faktor zweifaktor* zwei_faktor_authentifizierung 2fa mfa authenticator administratorrechte*",
        "step": "setzen zurucksetzen klicken eingeben geben senden schicken deaktivieren ausschalten nennen teilen mitteilen",
        "person": "kollege* kollegin* mitarbeiter* team spezialist* techniker* experte* vorgesetzte* manager fachabteilung",
        "looked": "gepruft pruft angesehen angeschaut bearbeitet kummert untersucht gelesen schaut bestatigt prufen",
    },
    "fr": {
        "mark": "le la les vous nous est une un du avec pour votre vos sera etes que qui je notre sont ete dans sur au",
        "benefit": "remboursement* remise* reduction* compensation* indemnisation* demande* ristourne* rabais geste_commercial "
        "dedommagement* bon_d_achat avoir",
        "liability": "frais montant facture* paiement* argent somme prelevement*",
        "refunded": "remboursons remboursez rembourser rembourserons rembourse rembourses remboursee rembourserai "
        "remboursera rembourses indemniser indemniserons dedommager dedommagerons crediterons crediter credite",
        "grant": "approuve* accorde* accordons accepte* valide* octroy* applique* effectue* verse* droit beneficier* "
        "beneficiez recevrez emis confirme* obtiendrez",
        "relieve": "annul* supprim* retir* exoner* reduit deduit offrons",
        "pay": "rendre rendons rendrons recuperer* rendu",
        "back": "argent montant somme",
        "free": "gratuit* offert*",
        "this_time": "cette_fois exceptionnellement titre_exceptionnel",
        "promise": "promets promettons garantissons garantis assurons exceptionnellement",
        "when": "hui demain bientot rapidement sous_peu ce_soir immediatement lundi mardi mercredi jeudi vendredi",
        "within": "sous dans ici",
        "unit": "heure heures jour jours semaine* minute* ouvres",
        "reply": "repondre repondrons repondons repondra reponse contacter* contactera recontacter* appeler* rappeler*",
        "resolve": "resolu* resoudre retabli* corrige* repare*",
        "secret": "mot_de_passe code_de_verification code_de_recuperation code_de_securite code_pin",
        "factor": "double_authentification deux_facteurs 2fa mfa authenticator",
        "step": "cliquez envoyez saisissez reinitialis* desactiv* communiquez indiquez entrez donnez transmettez",
        "person": "collegue* equipe equipes technicien* specialiste* responsable* expert* conseiller* superviseur*",
        "looked": "examin* verifi* etudi* penche* analys* traite* confirme* valide* lu regarde*",
    },
    "es": {
        "mark": "el la los las su sus por para con una un se le les ha han hemos sera esta usted que en y lo nuestro nuestra",
        "benefit": "reembolso* devolucion* descuento* compensacion* abono* bonificacion* solicitud* indemnizacion* credito rebaja*",
        "liability": "cargo cargos importe factura* pago pagos dinero cuota* tarifa* cobro*",
        "refunded": "reembolsar* reembolsamos reembolsado reembolsada reembolsados devolver* devolvemos devuelto devuelta "
        "compensar* compensado abonar* abonado bonificar*",
        "grant": "aprobad* aprobamos aprobo conced* otorg* autoriz* aceptad* aplicad* aplicaremos recibir* emitid* "
        "confirmad* derecho tramitad*",
        "relieve": "cancelad* cancelamos anulad* anulamos eliminad* quitad* retirad* exoner* asumimos",
        "pay": "recuperar* recibir*",
        "back": "de_vuelta dinero",
        "free": "gratis gratuit*",
        "this_time": "esta_vez excepcionalmente",
        "promise": "prometo prometemos garantizo garantizamos aseguramos excepcionalmente",
        "when": "hoy manana pronto en_breve enseguida inmediatamente lunes martes miercoles jueves viernes",
        "within": "dentro en plazo",
        "unit": "hora horas dia dias semana* minuto*",
        "reply": "responder* respondemos respuesta contactar* contactara llamar* llamara escribir*",
        "resolve": "resuelt* resolver* solucion* restablecid* restablecer* arregl*",
        "secret": "contrasena* clave codigo_de_verificacion codigo_de_recuperacion codigo_de_seguridad pin",
        "factor": "dos_factores doble_factor dos_pasos 2fa mfa authenticator",
        "step": "clic envie envienos enviar restablez* restablecer desactiv* introduzca indique* pulse escriba digame diga",
        "person": "companero* equipo tecnico* especialista* responsable* supervisor* agente* gerente*",
        "looked": "revis* examin* verific* investig* analiz* estudi* confirm* leido mirado",
    },
    "it": {
        "mark": "il lo la gli le sua suo suoi per di della abbiamo stato stata sara che un una con del vostro nostra nostro "
        "ha e i la",
        "benefit": "rimborso rimborsi sconto sconti accredito accrediti risarcimento* richiesta* compensazione* credito indennizzo*",
        "liability": "addebito* importo fattura* pagamento* denaro soldi spese costo tariffa*",
        "refunded": "rimborsare rimborseremo rimborsiamo rimborsato rimborsata rimborsera rimborsero restituire restituiremo "
        "restituiamo restituito accreditare accrediteremo accreditato risarcire risarciremo",
        "grant": "approvat* concess* concediamo concederemo accordat* autorizzat* accettat* applicat* applicheremo ricever* "
        "emess* confermat* diritto disposto",
        "relieve": "annullat* annulliamo annulleremo cancellat* stornat* storniamo eliminat* tolto",
        "pay": "riavere riavra ricever*",
        "back": "indietro denaro soldi",
        "free": "gratis gratuit* omaggio",
        "this_time": "questa_volta eccezionalmente via_eccezionale",
        "promise": "prometto promettiamo garantisco garantiamo assicuriamo eccezionalmente",
        "when": "oggi domani presto a_breve subito immediatamente lunedi martedi mercoledi giovedi venerdi",
        "within": "entro tra fra in",
        "unit": "ora ore giorno giorni settiman* minuti",
        "reply": "rispondere risponderemo rispondera risposta contatt* richiam* chiam*",
        "resolve": "risolt* risolv* ripristin* riparat*",
        "secret": "password codice_di_verifica codice_di_recupero codice_di_sicurezza pin",
        "factor": "due_fattori 2fa mfa authenticator",
        "step": "clicchi clicca cliccate inviate invii invia inviaci reimpost* disattiv* inserisca inserisci comunichi",
        "person": "collega colleghi squadra team tecnic* specialist* responsabile supervisore",
        "looked": "esamin* verific* controll* analizz* confermat* letto occupando guardato",
    },
    "pt": {
        "mark": "o os sua seu suas voce por para foi sera uma um que da ja com nossa nosso vamos ao ele em a",
        "benefit": "reembolso* estorno* desconto* compensacao* credito devolucao* abatimento* pedido* indenizacao*",
        "liability": "cobranca* valor fatura* pagamento* dinheiro taxa*",
        "refunded": "reembolsar reembolsaremos reembolsado reembolsada reembolsamos devolver* devolvemos devolvido estornar* "
        "estornado estornamos creditar* creditado compensar*",
        "grant": "aprovad* aprovamos concedid* concederemos concedemos autorizad* aceit* aplicad* aplicaremos receber* "
        "emitid* confirmad* direito",
        "relieve": "cancelad* cancelamos anulad* removid* retirad* isent*",
        "pay": "receber* recuperar*",
        "back": "de_volta dinheiro",
        "free": "gratis gratuit*",
        "this_time": "desta_vez excepcionalmente excecionalmente",
        "promise": "prometo prometemos garanto garantimos asseguramos excepcionalmente",
        "when": "hoje amanha em_breve logo imediatamente segunda terca quarta quinta sexta",
        "within": "dentro em prazo ate",
        "unit": "hora horas dia dias semana* minuto*",
        "reply": "responder* resposta contactar* contatar* contato ligar* retornar*",
        "resolve": "resolvid* resolver* restaurad* corrigid* solucion*",
        "secret": "senha* codigo_de_verificacao codigo_de_recuperacao codigo_de_seguranca palavra_passe pin",
        "factor": "dois_fatores duas_etapas 2fa mfa authenticator",
        "step": "clique envie enviar redefin* desativ* digite informe insira mande",
        "person": "colega* equipe equipa tecnico* especialista* gerente* supervisor* agente*",
        "looked": "revis* verific* analis* investig* examin* confirm* lido olhando",
    },
    "nl": {
        "mark": "het een wij uw wordt hebben heeft van voor zijn de ik je jouw niet met aan naar dat dit ons onze worden u",
        "benefit": "terugbetaling* restitutie* korting* creditnota* vergoeding* verzoek* compensatie* tegoed* schadevergoeding*",
        "liability": "kosten bedrag factuur* facturen betaling* geld rekening afschrijving* toeslag*",
        "refunded": "terugbetalen terugbetaald terugstorten teruggestort vergoeden vergoed crediteren gecrediteerd "
        "kwijtschelden kwijtgescholden",
        "grant": "goedgekeurd toegekend toekennen verleend verlenen geaccepteerd toegepast ontvangt krijgt krijg ontvangen "
        "bevestigd recht verwerkt uitgekeerd geven",
        "relieve": "geannuleerd annuleren verwijderd geschrapt teruggedraaid terugdraaien schrappen",
        "pay": "betalen storten krijgt krijgen geven",
        "back": "terug",
        "free": "gratis kosteloos",
        "this_time": "deze_keer uitzonderlijk van_uitzondering",
        "promise": "beloof beloven garandeer garanderen verzekeren van_uitzondering",
        "when": "vandaag morgen binnenkort spoedig zsm meteen maandag dinsdag woensdag donderdag vrijdag",
        "within": "binnen in over",
        "unit": "uur uren dag dagen week weken minuten werkdag*",
        "reply": "antwoord* reageren reactie contact bellen belt terugbellen horen hoort",
        "resolve": "opgelost oplossen hersteld verholpen",
        "secret": "wachtwoord* verificatiecode* herstelcode* pincode* beveiligingscode*",
        "factor": "tweestaps* tweefactor* twee_factor 2fa mfa authenticator",
        "step": "klik klikken stuur sturen reset* schakel uitschakelen uitzetten zet voer geef",
        "person": "collega* medewerker* specialist* team leidinggevende manager afdeling",
        "looked": "bekeken bekijkt onderzoekt onderzocht gecontroleerd controleert beoordeeld bevestigd gelezen kijkt",
    },
}

NUMBERS = "zwei drei vier deux trois quatre dos tres cuatro due tre quattro duas dois twee drie vier einer una une"

BITS: dict[str, int] = {}
"""Each class of meaning with its bit: English ones by their name, the other languages' as ``x.name``."""


def _bit(name: str) -> int:
    return BITS.setdefault(name, 1 << len(BITS))


_WORDS: dict[str, int] = {}
_STEMS: dict[str, int] = {}
_PHRASES: dict[str, list[tuple[tuple[str, ...], int]]] = {}


def _take(words: str, bit: int) -> None:
    for word in words.split():
        first, *rest = word.split("_")
        if rest:
            _PHRASES.setdefault(first, []).append((tuple(rest), bit))
        elif word.endswith("*"):
            _STEMS[word[:-1]] = _STEMS.get(word[:-1], 0) | bit
        else:
            _WORDS[word] = _WORDS.get(word, 0) | bit


def _load() -> None:
    for name, words in ENGLISH.items():
        _take(words, _bit(name))
    for classes in _OTHERS.values():
        for name, words in classes.items():
            _take(words, _bit(f"x.{name}"))
    _take(NUMBERS, _bit("x.number"))


_load()
_STEM_LENGTHS = sorted({len(stem) for stem in _STEMS})
_NOUNS = BITS["benefit"] | BITS["liability"]
_BEGINS = _bit("phrase")
"""Not a meaning: the word may begin a phrase."""
_NEXT: dict[str, dict[str, list[tuple[tuple[str, ...], int]]]] = {}
"""A phrase's first word, its second one, and what else each such phrase has."""
for _first, _phrases in _PHRASES.items():
    for (_second, *_others), _meant in _phrases:
        _NEXT.setdefault(_first, {}).setdefault(_second, []).append((tuple(_others), _meant))
_CHANGED = _NOUNS | BITS["verbal"]
"""What a word's neighbours may change."""
_DIGIT = BITS["number"] | BITS["x.number"]
_TAIL, _LEAD, _VERBAL, _REFUNDED = BITS["tail"], BITS["lead"], BITS["verbal"], BITS["refunded"]
_NO_NOUN = ~(_NOUNS | BITS["money"])


def _meaning(word: str) -> int:
    found = _WORDS.get(word, 0) | (_BEGINS if word in _PHRASES else 0)
    for length in _STEM_LENGTHS:
        if length > len(word):
            break
        found |= _STEMS.get(word[:length], 0)
    return found | _DIGIT if word[:1].isdigit() else found


def without_accents(text: str) -> str:
    """The text with each accented letter as its bare one (``ü`` as ``u``), and ``ß`` as ``ss``."""
    if text.isascii():
        return text
    spread = unicodedata.normalize("NFKD", text.replace("ß", "ss"))
    return "".join(c for c in spread if unicodedata.category(c) != "Mn")


class _Known(dict[str, int]):
    """Each word's classes, worked out once; a plain dictionary is asked in half the time of a cached function."""

    def __missing__(self, word: str) -> int:
        if len(self) >= _MOST_KNOWN:
            self.clear()
        meant = self[word] = _meaning(word)
        return meant


_MOST_KNOWN = 65_536
_KNOWN = _Known()


def meanings(words: Sequence[str]) -> list[int]:
    """The classes of each word in its place, as bits; a phrase's stand with its first word."""
    alone = list(map(_KNOWN.__getitem__, words))
    found, last = alone, len(words) - 1
    for i, meant in enumerate(alone):
        # Most words that may begin a phrase begin none: it is settled here, without a call.
        if meant & _CHANGED or (meant & _BEGINS and i < last and words[i + 1] in _NEXT[words[i]]):
            if found is alone:
                found = alone.copy()
            found[i] = _beside_others(i, words, alone)
    return found


def _beside_others(i: int, words: Sequence[str], alone: Sequence[int]) -> int:
    found = alone[i]
    if i + 1 < len(words):
        if found & _BEGINS:
            for rest, bit in _NEXT[words[i]].get(words[i + 1], ()):
                if tuple(words[i + 2 : i + 2 + len(rest)]) == rest:
                    found |= bit
        if found & _NOUNS and alone[i + 1] & _TAIL:
            found &= _NO_NOUN
    if found & _VERBAL and i and alone[i - 1] & _LEAD:
        found |= _REFUNDED
    return found
