"""Where it happened."""

import pytest

from extract.places import load, places


def names(
    title: str,
    text: str = "",
    dateline: str | None = None,
    province: str | None = None,
    regency: str | None = None,
) -> list[str]:
    return [place.name for place in places(title, text, dateline, province, regency)]


@pytest.mark.parametrize(
    ("title", "text", "expected"),
    [
        ("Bupati Buleleng minta ASN netral", "", "Kabupaten Buleleng"),
        ("Bawaslu Kukar panggil camat", "", "Kabupaten Kutai Kartanegara"),
        ("Pemkab Kobar gelar apel", "", "Kabupaten Kotawaringin Barat"),
        ("ASN Parimo teken ikrar", "", "Kabupaten Parigi Moutong"),
        ("Kades di OKI diperiksa", "", "Kabupaten Ogan Komering Ilir"),
        ("Bawaslu Jatim catat aduan", "", "Jawa Timur"),
        ("Camat di Kota Bogor ditegur", "", "Kota Bogor"),
        ("Camat di Kabupaten Bogor ditegur", "", "Kabupaten Bogor"),
        ("ASN Bogor diminta netral", "Wali Kota Bogor memimpin apel.", "Kota Bogor"),
        ("ASN Bogor diminta netral", "Bupati Bogor memimpin apel.", "Kabupaten Bogor"),
        ("Gubernur Gorontalo ingatkan ASN", "", "Gorontalo"),
        ("Wali Kota Gorontalo ingatkan ASN", "", "Kota Gorontalo"),
        ("Kades di Aceh Barat Daya ditegur", "", "Kabupaten Aceh Barat Daya"),
        ("ASN di Palangka Raya teken ikrar", "", "Kota Palangkaraya"),
        ("ASN di Tangsel teken ikrar", "", "Kota Tangerang Selatan"),
        ("Sekda DKI ingatkan pegawai", "", "DKI Jakarta"),
        ("Pj Gubernur Papua Barat Daya ingatkan ASN", "", "Papua Barat Daya"),
    ],
)
def test_names_and_offices(title: str, text: str, expected: str) -> None:
    assert names(title, text)[0] == expected


def test_a_place_carries_code_level_and_province() -> None:
    (place,) = places("Bupati Buleleng minta ASN netral", "")
    assert (place.code, place.level, place.province) == ("51.08", "regency", "Bali")


def test_the_dateline_counts_less_than_an_office() -> None:
    assert names("Apel ASN", "Semua pegawai hadir.", "SINGARAJA") == ["Kabupaten Buleleng"]
    assert names("Bupati Jembrana pimpin apel", "", "DENPASAR")[0] == "Kabupaten Jembrana"


def test_the_outlets_own_region_is_the_last_resort() -> None:
    assert names("Apel ASN", "", None, "Bali") == ["Bali"]
    assert names("Apel ASN", "", None, "Bali", "Buleleng") == ["Kabupaten Buleleng"]
    assert names("Bupati Lumajang pimpin apel", "", None, "Bali") == ["Kabupaten Lumajang"]
    assert names("Apel ASN", "", "JAKARTA") == []


def test_the_outlets_region_tells_namesakes_apart() -> None:
    assert names("Kades di Kupang ditegur", "", None, None, "Kota Kupang") == ["Kota Kupang"]


def test_common_words_and_outlet_names_are_no_places() -> None:
    assert names("Warga angkat batu dan batang kayu", "Nasib malang bagi petani.") == []
    assert names("Malang nian nasib petani", "") == []
    assert names("Apel ASN", "Foto: NusaBali") == []


def test_a_town_in_passing_does_not_count() -> None:
    text = "Bupati Lumajang memimpin apel. " * 3 + "Ia pernah bertugas di Semarang."
    assert names("Bupati Lumajang minta ASN netral", text) == ["Kabupaten Lumajang"]


def test_the_gazetteer_is_whole() -> None:
    areas = load().areas.values()
    assert sum(a.level == "province" for a in areas) == 38
    assert sum(a.level == "regency" for a in areas) == 514
    for area in areas:
        assert load().named(area.name, area.level) == area
