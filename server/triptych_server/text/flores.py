"""Language code (as Weblate and browsers write it) -> FLORES-200 code, which NLLB text towers want in front of the text."""

import logging
from functools import lru_cache

_LOG = logging.getLogger(__name__)
_ENGLISH = "eng_Latn"

# ISO 639 (with script or region where the script depends on it) to FLORES-200, https://github.com/facebookresearch/flores.
# A macro-language stands for its largest member (Arabic: Modern Standard; Malagasy: Plateau; Albanian: Tosk).
_TABLE = """
af=afr_Latn am=amh_Ethi ar=arb_Arab as=asm_Beng ast=ast_Latn az=azj_Latn be=bel_Cyrl bg=bul_Cyrl bn=ben_Beng bo=bod_Tibt bs=bos_Latn
ca=cat_Latn ceb=ceb_Latn ckb=ckb_Arab cs=ces_Latn cy=cym_Latn da=dan_Latn de=deu_Latn el=ell_Grek en=eng_Latn eo=epo_Latn es=spa_Latn
et=est_Latn eu=eus_Latn fa=pes_Arab fi=fin_Latn fil=tgl_Latn fo=fao_Latn fr=fra_Latn fur=fur_Latn ga=gle_Latn gd=gla_Latn gl=glg_Latn
gsw=deu_Latn gu=guj_Gujr ha=hau_Latn he=heb_Hebr hi=hin_Deva hr=hrv_Latn ht=hat_Latn hu=hun_Latn hy=hye_Armn id=ind_Latn ig=ibo_Latn
is=isl_Latn it=ita_Latn iw=heb_Hebr ja=jpn_Jpan jv=jav_Latn ka=kat_Geor kab=kab_Latn kk=kaz_Cyrl km=khm_Khmr kmr=kmr_Latn kn=kan_Knda
ko=kor_Hang ku=kmr_Latn ky=kir_Cyrl lb=ltz_Latn lo=lao_Laoo lt=lit_Latn lv=lvs_Latn mg=plt_Latn mi=mri_Latn mk=mkd_Cyrl ml=mal_Mlym
mn=khk_Cyrl mr=mar_Deva ms=zsm_Latn mt=mlt_Latn my=mya_Mymr nb=nob_Latn ne=npi_Deva nl=nld_Latn nn=nno_Latn no=nob_Latn oc=oci_Latn
or=ory_Orya pa=pan_Guru pl=pol_Latn ps=pbt_Arab pt=por_Latn ro=ron_Latn ru=rus_Cyrl sa=san_Deva sc=srd_Latn sd=snd_Arab si=sin_Sinh
sk=slk_Latn sl=slv_Latn sn=sna_Latn so=som_Latn sq=als_Latn sr=srp_Cyrl su=sun_Latn sv=swe_Latn sw=swh_Latn ta=tam_Taml te=tel_Telu
tg=tgk_Cyrl th=tha_Thai ti=tir_Ethi tk=tuk_Latn tl=tgl_Latn tr=tur_Latn tt=tat_Cyrl ug=uig_Arab uk=ukr_Cyrl ur=urd_Arab uz=uzn_Latn
vi=vie_Latn xh=xho_Latn yi=ydd_Hebr yo=yor_Latn yue=yue_Hant zh=zho_Hans zh-hans=zho_Hans zh-hant=zho_Hant zh-hk=zho_Hant
zh-mo=zho_Hant zh-tw=zho_Hant zu=zul_Latn
"""
_FLORES = dict(pair.split("=") for pair in _TABLE.split())
LANGUAGES = tuple(_FLORES)


@lru_cache(maxsize=1024)  # which also keeps a client with a strange code from filling the log
def flores_code(language: str) -> str:
    """The FLORES-200 code of `language`, like de, pt-BR, zh_Hans or nb-NO; region and script are dropped where they say nothing.

    An unknown language is English, with a warning in the log: a search in a strange language is better than none.
    """
    subtags = language.strip().lower().replace("_", "-").split("-")
    for end in range(len(subtags), 0, -1):
        if code := _FLORES.get("-".join(subtags[:end])):
            return code
    _LOG.warning("Unknown language %.40r; the text is taken as English. Known are ISO 639 codes such as de, pt-BR, zh-Hans.", language)
    return _ENGLISH
