"""The closed sets of the DSA Transparency Database's schema (API v2 of 1 July 2025).

Facts from its documentation and its validator, github.com/digital-services-act/transparency-database, commit 69e80a0 of 24 June 2026.
"""

from enum import StrEnum, auto


class Word(StrEnum):
    """A closed set whose members are spelt as they are sent."""

    @staticmethod
    def _generate_next_value_(name: str, start: int, count: int, last_values: list[str]) -> str:  # noqa: ARG004  enum's own protocol
        return name


class YesNo(StrEnum):
    """As the schema spells it."""

    YES = "Yes"
    NO = "No"


class Visibility(Word):
    """What becomes of the content's visibility."""

    DECISION_VISIBILITY_CONTENT_REMOVED = auto()
    DECISION_VISIBILITY_CONTENT_DISABLED = auto()
    DECISION_VISIBILITY_CONTENT_DEMOTED = auto()
    DECISION_VISIBILITY_CONTENT_AGE_RESTRICTED = auto()
    DECISION_VISIBILITY_CONTENT_INTERACTION_RESTRICTED = auto()
    DECISION_VISIBILITY_CONTENT_LABELLED = auto()
    DECISION_VISIBILITY_OTHER = auto()


class Monetary(Word):
    """What becomes of payments."""

    DECISION_MONETARY_SUSPENSION = auto()
    DECISION_MONETARY_TERMINATION = auto()
    DECISION_MONETARY_OTHER = auto()


class Provision(Word):
    """What becomes of the service."""

    DECISION_PROVISION_PARTIAL_SUSPENSION = auto()
    DECISION_PROVISION_TOTAL_SUSPENSION = auto()
    DECISION_PROVISION_PARTIAL_TERMINATION = auto()
    DECISION_PROVISION_TOTAL_TERMINATION = auto()


class Account(Word):
    """What becomes of the account."""

    DECISION_ACCOUNT_SUSPENDED = auto()
    DECISION_ACCOUNT_TERMINATED = auto()


class AccountType(Word):
    """Whose account."""

    ACCOUNT_TYPE_BUSINESS = auto()
    ACCOUNT_TYPE_PRIVATE = auto()


class Ground(Word):
    """Law, or terms and conditions."""

    DECISION_GROUND_ILLEGAL_CONTENT = auto()
    DECISION_GROUND_INCOMPATIBLE_CONTENT = auto()


class ContentType(Word):
    """What kind of content. Synthetic media is one of these, and neither a category nor a keyword."""

    CONTENT_TYPE_APP = auto()
    CONTENT_TYPE_AUDIO = auto()
    CONTENT_TYPE_IMAGE = auto()
    CONTENT_TYPE_PRODUCT = auto()
    CONTENT_TYPE_SYNTHETIC_MEDIA = auto()
    CONTENT_TYPE_TEXT = auto()
    CONTENT_TYPE_VIDEO = auto()
    CONTENT_TYPE_OTHER = auto()


class SourceType(Word):
    """How the content came to be looked at."""

    SOURCE_ARTICLE_16 = auto()
    SOURCE_TRUSTED_FLAGGER = auto()
    SOURCE_TYPE_OTHER_NOTIFICATION = auto()
    SOURCE_VOLUNTARY = auto()


class AutomatedDecision(Word):
    """How far machines decided."""

    AUTOMATED_DECISION_FULLY = auto()
    AUTOMATED_DECISION_PARTIALLY = auto()
    AUTOMATED_DECISION_NOT_AUTOMATED = auto()


class Category(Word):
    """What the law or the terms are about."""

    STATEMENT_CATEGORY_ANIMAL_WELFARE = auto()
    STATEMENT_CATEGORY_CONSUMER_INFORMATION = auto()
    STATEMENT_CATEGORY_CYBER_VIOLENCE = auto()
    STATEMENT_CATEGORY_CYBER_VIOLENCE_AGAINST_WOMEN = auto()
    STATEMENT_CATEGORY_DATA_PROTECTION_AND_PRIVACY_VIOLATIONS = auto()
    STATEMENT_CATEGORY_ILLEGAL_OR_HARMFUL_SPEECH = auto()
    STATEMENT_CATEGORY_INTELLECTUAL_PROPERTY_INFRINGEMENTS = auto()
    STATEMENT_CATEGORY_NEGATIVE_EFFECTS_ON_CIVIC_DISCOURSE_OR_ELECTIONS = auto()
    STATEMENT_CATEGORY_NOT_SPECIFIED_NOTICE = auto()
    STATEMENT_CATEGORY_OTHER_VIOLATION_TC = auto()
    STATEMENT_CATEGORY_PROTECTION_OF_MINORS = auto()
    STATEMENT_CATEGORY_RISK_FOR_PUBLIC_SECURITY = auto()
    STATEMENT_CATEGORY_SCAMS_AND_FRAUD = auto()
    STATEMENT_CATEGORY_SELF_HARM = auto()
    STATEMENT_CATEGORY_UNSAFE_AND_PROHIBITED_PRODUCTS = auto()
    STATEMENT_CATEGORY_VIOLENCE = auto()


class Keyword(Word):
    """The category, closer."""

    KEYWORD_ADULT_SEXUAL_MATERIAL = auto()
    KEYWORD_AGE_SPECIFIC_RESTRICTIONS = auto()
    KEYWORD_AGE_SPECIFIC_RESTRICTIONS_MINORS = auto()
    KEYWORD_ANIMAL_HARM = auto()
    KEYWORD_BIOMETRIC_DATA_BREACH = auto()
    KEYWORD_BULLYING_AGAINST_GIRLS = auto()
    KEYWORD_CHILD_SEXUAL_ABUSE_MATERIAL = auto()
    KEYWORD_CHILD_SEXUAL_ABUSE_MATERIAL_DEEPFAKE = auto()
    KEYWORD_CONTENT_PROMOTING_EATING_DISORDERS = auto()
    KEYWORD_COORDINATED_HARM = auto()
    KEYWORD_COPYRIGHT_INFRINGEMENT = auto()
    KEYWORD_CYBER_BULLYING_INTIMIDATION = auto()
    KEYWORD_CYBER_HARASSMENT = auto()
    KEYWORD_CYBER_HARASSMENT_AGAINST_WOMEN = auto()
    KEYWORD_CYBER_INCITEMENT = auto()
    KEYWORD_CYBER_STALKING = auto()
    KEYWORD_CYBER_STALKING_AGAINST_WOMEN = auto()
    KEYWORD_DATA_FALSIFICATION = auto()
    KEYWORD_DEFAMATION = auto()
    KEYWORD_DESIGN_INFRINGEMENT = auto()
    KEYWORD_DISCRIMINATION = auto()
    KEYWORD_FEMALE_GENDERED_DISINFORMATION = auto()
    KEYWORD_GEOGRAPHIC_INDICATIONS_INFRINGEMENT = auto()
    KEYWORD_GEOGRAPHICAL_REQUIREMENTS = auto()
    KEYWORD_GOODS_SERVICES_NOT_PERMITTED = auto()
    KEYWORD_GROOMING_SEXUAL_ENTICEMENT_MINORS = auto()
    KEYWORD_HATE_SPEECH = auto()
    KEYWORD_HIDDEN_ADVERTISEMENT = auto()
    KEYWORD_HUMAN_EXPLOITATION = auto()
    KEYWORD_HUMAN_TRAFFICKING = auto()
    KEYWORD_ILLEGAL_ORGANIZATIONS = auto()
    KEYWORD_IMPERSONATION_ACCOUNT_HIJACKING = auto()
    KEYWORD_INAUTHENTIC_ACCOUNTS = auto()
    KEYWORD_INAUTHENTIC_LISTINGS = auto()
    KEYWORD_INAUTHENTIC_USER_REVIEWS = auto()
    KEYWORD_INCITEMENT_AGAINST_WOMEN = auto()
    KEYWORD_INCITEMENT_VIOLENCE_HATRED = auto()
    KEYWORD_INSUFFICIENT_INFORMATION_ON_TRADERS = auto()
    KEYWORD_LANGUAGE_REQUIREMENTS = auto()
    KEYWORD_MISINFORMATION_DISINFORMATION = auto()
    KEYWORD_MISLEADING_INFO_CONSUMER_RIGHTS = auto()
    KEYWORD_MISLEADING_INFO_GOODS_SERVICES = auto()
    KEYWORD_MISSING_PROCESSING_GROUND = auto()
    KEYWORD_NON_CONSENSUAL_IMAGE_SHARING = auto()
    KEYWORD_NON_CONSENSUAL_IMAGE_SHARING_AGAINST_WOMEN = auto()
    KEYWORD_NON_CONSENSUAL_MATERIAL_DEEPFAKE = auto()
    KEYWORD_NON_CONSENSUAL_MATERIAL_DEEPFAKE_AGAINST_WOMEN = auto()
    KEYWORD_NONCOMPLIANCE_PRICING = auto()
    KEYWORD_NUDITY = auto()
    KEYWORD_PATENT_INFRINGEMENT = auto()
    KEYWORD_PHISHING = auto()
    KEYWORD_PROHIBITED_PRODUCTS = auto()
    KEYWORD_PYRAMID_SCHEMES = auto()
    KEYWORD_RIGHT_TO_BE_FORGOTTEN = auto()
    KEYWORD_RISK_ENVIRONMENTAL_DAMAGE = auto()
    KEYWORD_RISK_PUBLIC_HEALTH = auto()
    KEYWORD_SELF_MUTILATION = auto()
    KEYWORD_STALKING = auto()
    KEYWORD_SUICIDE = auto()
    KEYWORD_TERRORIST_CONTENT = auto()
    KEYWORD_TRADE_SECRET_INFRINGEMENT = auto()
    KEYWORD_TRADEMARK_INFRINGEMENT = auto()
    KEYWORD_TRAFFICKING_WOMEN_GIRLS = auto()
    KEYWORD_UNLAWFUL_SALE_ANIMALS = auto()
    KEYWORD_UNSAFE_CHALLENGES = auto()
    KEYWORD_UNSAFE_PRODUCTS = auto()
    KEYWORD_VIOLATION_EU_LAW = auto()
    KEYWORD_VIOLATION_NATIONAL_LAW = auto()
    KEYWORD_OTHER = auto()


class Country(Word):
    """EU and EEA."""

    AT = auto()
    BE = auto()
    BG = auto()
    CY = auto()
    CZ = auto()
    DE = auto()
    DK = auto()
    EE = auto()
    ES = auto()
    FI = auto()
    FR = auto()
    GR = auto()
    HR = auto()
    HU = auto()
    IE = auto()
    IS = auto()
    IT = auto()
    LI = auto()
    LT = auto()
    LU = auto()
    LV = auto()
    MT = auto()
    NL = auto()
    NO = auto()
    PL = auto()
    PT = auto()
    RO = auto()
    SE = auto()
    SI = auto()
    SK = auto()


LANGUAGES = frozenset(  # ISO 639-1
    (  # noqa: SIM905  184 of them
        "AA AB AE AF AK AM AN AR AS AV AY AZ BA BE BG BH BI BM BN BO BR BS CA CE CH CO CR CS CU CV CY DA DE DV DZ EE EL EN EO "
        "ES ET EU FA FF FI FJ FO FR FY GA GD GL GN GU GV HA HE HI HO HR HT HU HY HZ IA ID IE IG II IK IO IS IT IU JA JV KA KG "
        "KI KJ KK KL KM KN KO KR KS KU KV KW KY LA LB LG LI LN LO LT LU LV MG MH MI MK ML MN MR MS MT MY NA NB ND NE NG NL NN "
        "NO NR NV NY OC OJ OM OR OS PA PI PL PS PT QU RM RN RO RU RW SA SC SD SE SG SI SK SL SM SN SO SQ SR SS ST SU SV SW TA "
        "TE TG TH TI TK TL TN TO TR TS TT TW TY UG UK UR UZ VE VI VO WA WO XH YI YO ZA ZH ZU"
    ).split()
)
