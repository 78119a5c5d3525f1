"""Where it happened."""

import timeit
from collections import Counter

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
        ("ASN di Palangka Raya teken ikrar", "", "Kota Palangka Raya"),
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


@pytest.mark.parametrize(
    ("title", "text"),
    [
        ("Warga angkat batu dan batang kayu", "Nasib malang bagi petani."),
        ("Malang nian nasib petani", ""),
        ("Seribu ASN ikut apel", ""),
        ("Komisi Aparatur Sipil Negara terima aduan", "Badan Kepegawaian Negara menunggu."),
        ("Mitra kerja dan palu hakim", ""),
        ("KTT ASEAN digelar", ""),
        ("Nasib yang Malang Bagi Petani Desa Terpencil", ""),
        ("Tim Sbb unggul, bukan Pn", ""),
        ("Apel ASN", "Sejak Juli semua pegawai hadir di Damai."),
        ("Apel ASN", "Foto: NusaBali"),
    ],
)
def test_common_words_and_outlet_names_are_no_places(title: str, text: str) -> None:
    assert names(title, text) == []


@pytest.mark.parametrize(
    "title",
    [
        "Wamendagri Bima Arya ingatkan Pj kepala daerah",
        "Menurut Aria Bima, ajudan harus netral",
        "Rektor Universitas Airlangga angkat bicara",
        "Suporter PSM Makassar diminta tertib",
        "Pedagang di Jalan Solo diminta tertib",
        "Bank Jatim bukukan laba",
        "Tajuk Lombok Post soal ASN",
    ],
)
def test_what_carries_a_places_name_is_no_place(title: str) -> None:
    assert names(title) == []


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("Pengawas periksa dua guru di Batu", "Kota Batu"),
        ("Dua guru di Pati diperiksa", "Kabupaten Pati"),
        ("Pengawas menilai pilkada damai bagi Batang", "Kabupaten Batang"),
        ("BAWASLU KOTA BATU PERIKSA ASN", "Kota Batu"),
        ("Bawaslu KTT periksa ASN", "Kabupaten Tana Tidung"),
        ("Kades di Negara dilaporkan", "Kabupaten Jembrana"),
    ],
)
def test_a_common_word_is_a_place_where_something_says_so(title: str, expected: str) -> None:
    assert names(title) == [expected]


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("ASN di Bandarlampung teken ikrar", "Kota Bandar Lampung"),
        ("ASN di Tanjungpinang teken ikrar", "Kota Tanjungpinang"),
        ("ASN di Tanjung Pinang teken ikrar", "Kota Tanjungpinang"),
        ("ASN di Banjar Baru teken ikrar", "Kota Banjarbaru"),
        ("ASN di Lombok  Barat teken ikrar", "Kabupaten Lombok Barat"),
        ("ASN di Batubara teken ikrar", "Kabupaten Batu Bara"),
        ("ASN di Tolitoli teken ikrar", "Kabupaten Tolitoli"),
        ("ASN di Pagaralam teken ikrar", "Kota Pagar Alam"),
        ("Bawaslu 50 Kota periksa ASN", "Kabupaten Lima Puluh Kota"),
        ("ASN KABUPATEN KUTAI KARTANEGARA DITEGUR", "Kabupaten Kutai Kartanegara"),
        ("pemkab jembrana ingatkan asn", "Kabupaten Jembrana"),
    ],
)
def test_names_split_glued_and_in_any_case(title: str, expected: str) -> None:
    assert names(title) == [expected]


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("ASN di Sungguminasa ditegur", "Kabupaten Gowa"),
        ("ASN di Singaraja ditegur", "Kabupaten Buleleng"),
        ("ASN di Sugapa ditegur", "Kabupaten Intan Jaya"),
        ("ASN di Ujung Pandang ditegur", "Kota Makassar"),
        ("ASN Mamuju Utara ditegur", "Kabupaten Pasangkayu"),
        ("ASN Toba Samosir ditegur", "Kabupaten Toba"),
        ("ASN di Maluku Tenggara Barat ditegur", "Kabupaten Kepulauan Tanimbar"),
        ("ASN Irian Jaya Barat ditegur", "Papua Barat"),
        ("Bupati Mentawai ingatkan ASN", "Kabupaten Kepulauan Mentawai"),
        ("Pangdam XIV/Hasanuddin ingatkan prajurit", "Sulawesi Selatan"),
        ("Bawaslu OI periksa ASN", "Kabupaten Ogan Ilir"),
        ("Warga Datangi Kantor Desa, Polisi PALI Berjaga", "Kabupaten Penukal Abab Lematang Ilir"),
        ("ASN se-Pulau Dewata apel", "Bali"),
    ],
)
def test_seats_old_names_and_short_forms(title: str, expected: str) -> None:
    assert names(title) == [expected]


def test_a_short_form_that_means_two_areas_is_told_by_the_rest() -> None:
    assert names("Bawaslu Mura panggil camat", "Sekda Murung Raya hadir.") == [
        "Kabupaten Murung Raya"
    ]
    assert names("Bawaslu Mura panggil camat", "ASN Musi Rawas apel.") == ["Kabupaten Musi Rawas"]
    assert names("ASN Martapura ditegur", "", None, "Sumatera Selatan") == [
        "Kabupaten Ogan Komering Ulu Timur"
    ]


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("Camat Praya ditegur", ["Kabupaten Lombok Tengah", "Praya"]),
        ("Kapolsek Seririt ingatkan anggota", ["Kabupaten Buleleng", "Seririt"]),
        ("Kepala SMPN 1 Sukawati unggah foto", ["Kabupaten Gianyar", "Sukawati"]),
        ("Panwascam Poasia catat pegawai", ["Kota Kendari", "Poasia"]),
        ("Distrik Sentani: kepala kampung ikut rapat", ["Kabupaten Jayapura", "Sentani"]),
        ("Pengawas datangi warga di Jatitujuh", ["Kabupaten Majalengka", "Jatitujuh"]),
    ],
)
def test_a_district_tells_its_regency_and_comes_after_it(title: str, expected: list[str]) -> None:
    assert names(title) == expected


def test_an_ambiguous_district_is_told_by_the_rest_or_gives_what_is_shared() -> None:
    assert names("Camat Wonosari ditegur", "Bupati Boalemo marah.")[0] == "Kabupaten Boalemo"
    assert names("Camat Wonosari ditegur", "", None, "Jawa Tengah")[0] == "Kabupaten Klaten"
    assert names("Camat Wonosari ditegur") == []
    assert names("Camat Kedungbanteng ditegur") == ["Jawa Tengah"]
    assert names("Camat Wonosari ditegur", "Pilkada Jateng ramai.")[0] == "Kabupaten Klaten"
    # the seat of a regency is the likelier one
    assert names("Camat Sungai Raya ditegur", "", None, "Kalimantan Barat")[0] == (
        "Kabupaten Kubu Raya"
    )


def test_an_official_in_a_place_need_not_be_the_places() -> None:
    assert names("Camat di Praya ditegur") == ["Kabupaten Lombok Tengah"]
    assert names("Kades di Sambas dan PNS Ketapang ditegur")[0] == "Kabupaten Ketapang"
    assert names("Rapat di Kota Solok", "", None)[0] == "Kota Solok"
    assert names("Rapat ASN Kota Solok di Kabupaten Agam")[0] == "Kota Solok"


def test_a_court_judges_for_its_neighbours_too() -> None:
    title = "Kades geruduk Pengadilan Negeri Mataram"
    assert names(title) == ["Kota Mataram"]
    assert names(title, "Mereka datang dari Lombok Barat.")[0] == "Kabupaten Lombok Barat"


def test_a_university_says_little_of_the_place() -> None:
    assert names("Rektor Unhas dilaporkan") == ["Kota Makassar"]
    assert names("Pengamat Unhas bicara", "Pilkada di Mamuju ramai.")[0] == "Kabupaten Mamuju"


def test_a_village_is_no_regency() -> None:
    assert names("Kades Tegal Jaya Inhil dihukum") == ["Kabupaten Indragiri Hilir"]
    assert names("Rapat di Desa Tanjung Dalam") == []
    assert names("Rapat di Desa Sragen", "Warga Tuban hadir.")[0] == "Kabupaten Tuban"


@pytest.mark.parametrize(
    ("title", "text", "expected"),
    [
        ("ASN Bandung ditegur", "Wali kota memimpin apel.", "Kota Bandung"),
        ("ASN Bandung ditegur", "Bupati memimpin apel.", "Kabupaten Bandung"),
        ("Lurah di Kupang ditegur", "", "Kota Kupang"),
        ("Kades di Kupang ditegur", "", "Kabupaten Kupang"),
        ("Polres Malang Kota panggil ASN", "", "Kota Malang"),
        ("Polres Tegal Kota panggil ASN", "Bupati hadir.", "Kota Tegal"),
        ("ASN Semarang ditegur", "", "Kota Semarang"),
        ("ASN Blitar ditegur", "", "Kabupaten Blitar"),
        ("ASN Blitar ditegur", "Kota Blitar bersiap.", "Kota Blitar"),
        ("Polres Metro Bekasi Kota panggil ASN", "", "Kota Bekasi"),
        ("Sepuluh camat Kota Bekasi ditegur", "", "Kota Bekasi"),
        ("Kejaksaan Negeri Bengkulu tahan kades", "", "Kota Bengkulu"),
        ("Kejaksaan Tinggi Bengkulu tahan kades", "", "Bengkulu"),
    ],
)
def test_a_city_and_its_namesakes(title: str, text: str, expected: str) -> None:
    assert names(title, text) == [expected]


def test_a_list_of_provinces_is_no_place() -> None:
    assert names("Aduan ASN naik", "Papua, Jatim, Jateng, dan Bali paling rawan.") == []
    assert names("Dua polisi dari Sulsel dan dua dari Sulut ditindak") == []
    assert names("Aduan naik: Jatim, Jateng, Aceh", "Bali dan Jatim ikut tinggi.") == []
    assert names("Aduan ASN naik di Bali", "Bali mendahului Jatim dan Jateng.")[0] == "Bali"


def test_a_regency_stands_before_its_province_but_not_several() -> None:
    assert names("Bawaslu Jatim terima aduan", "Camat di Jember dilaporkan.")[0] == (
        "Kabupaten Jember"
    )
    assert names("Bawaslu Kalbar catat aduan", "Terbanyak di Sambas, Ketapang, Sintang.")[0] == (
        "Kalimantan Barat"
    )


def test_a_provinces_seat_stands_first_where_it_is_named_as_much() -> None:
    text = "Bupati Badung dan Wali Kota Denpasar hadir."
    assert names("Gubernur Bali pimpin apel", text)[0] == "Kota Denpasar"


def test_a_regency_tells_more_than_a_province() -> None:
    assert names("Pegawai NTB dan pegawai Tulungagung ditegur")[0] == "Kabupaten Tulungagung"


def test_the_outlets_seat_stands_for_a_province_that_is_named() -> None:
    assert names("Bawaslu Sulut ingatkan ASN", "", None, "Sulawesi Utara", "Manado") == [
        "Kota Manado"
    ]
    assert names("Bawaslu Sulut ingatkan ASN", "", None, "Sulawesi Utara", "Bitung") == [
        "Sulawesi Utara"
    ]


def test_a_dateline_within_the_text_counts_less_than_a_name() -> None:
    text = "SINGARAJA, Kabar - Pegawai di Jembrana ikut apel."
    assert names("Apel ASN", text)[0] == "Kabupaten Jembrana"
    assert names("Apel", "PRAYA, Kabar - Warga dari Mataram hadir.")[0] == "Kota Mataram"
    assert names("Apel ASN", "JAKARTA, Kabar - Pegawai ikut apel.") == []
    assert names("Apel ASN", "Jakarta Pusat (Kabar) - Pegawai ikut apel.") == []


def test_a_town_in_passing_does_not_count() -> None:
    text = "Bupati Lumajang memimpin apel. " * 3 + "Ia pernah bertugas di Semarang."
    assert names("Bupati Lumajang minta ASN netral", text) == ["Kabupaten Lumajang"]
    assert names("Apel ASN", "Penulis tinggal di Makassar.") == []
    assert names("Apel ASN", "Oleh: Peneliti, Yogyakarta\nSetiap lima tahun orang lupa.") == []


def test_the_gazetteer_is_whole() -> None:
    areas = load().areas.values()
    counts = Counter(area.level for area in areas)
    assert counts == {"province": 38, "regency": 514, "district": 7285}
    for area in areas:
        if area.level != "district":
            assert load().named(area.name, area.level) == area
    assert load().seats.keys() == {a.name for a in areas if a.level == "province"}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Bima (kota)", "Kota Bima"),
        ("Kota Bima", "Kota Bima"),
        ("Kabupaten Bima", "Kabupaten Bima"),
        ("Kupang", "Kota Kupang"),
        ("Buleleng", "Kabupaten Buleleng"),
    ],
)
def test_an_outlets_regency_may_be_written_in_several_ways(name: str, expected: str) -> None:
    found = load().named(name, "regency")
    assert found
    assert found.name == expected


def test_reading_is_bounded_and_linear() -> None:
    def seconds(text: str) -> float:
        return min(timeit.repeat(lambda: places("Apel", text), number=1, repeat=5))

    short = "Bandar Tanjung Pulau Kota Sungai " * 60
    assert seconds(short * 500) < 5 * seconds(short) + 0.005
