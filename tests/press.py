"""A press of its own: cases in regencies, and how outlets tell of them.

What is told is invented, in the forms that such news has; each case has people of its own, so that
its story can be told from every other one.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from extract.article import Place
from extract.places import load

PROVINCES = (
    "Jawa Timur", "Jawa Tengah", "Jawa Barat", "Sulawesi Selatan", "Sulawesi Tengah", "Bali",
    "Nusa Tenggara Timur", "Sumatera Utara", "Lampung", "Kalimantan Selatan",
)  # fmt: skip
OFFICES = ("Kepala Desa", "Lurah", "Kepala Dinas Perhubungan", "Camat")
ACTS = (
    ("membagikan kaus bergambar {pair} seusai senam di {venue}", "pembagian kaus"),
    ("mengajak bawahannya memilih {pair} lewat grup WhatsApp", "pesan berantai"),
    ("berpose dua jari bersama {pair} dalam jamuan di {venue}", "foto pose jari"),
    ("mengantar rombongan kampanye {pair} dengan mobil dinas ke {venue}", "mobil dinas"),
    ("mengerahkan tenaga honorer ke kampanye {pair} di {venue}", "pengerahan honorer"),
    ("mengunggah video dukungan untuk {pair} di akun pribadinya", "video dukungan"),
    ("menyerahkan bantuan beras berstiker {pair} di {venue}", "stiker di karung beras"),
)

# the title, then paragraphs; the forms of one kind tell the same in other words
FORMS = {
    "allegation": (
        (
            "{office} di {regency} diduga tak netral dalam pilkada",
            "{office} {unit}, {name}, diduga {act}.",
            "Ketua Bawaslu {regency}, {chair}, mengatakan laporan tentang {matter} itu sudah "
            "diterima beserta dua lembar foto dan keterangan tiga orang saksi. Menurut dia, "
            "{office} {unit} wajib menjaga netralitas sampai hari pemungutan suara.",
            "{name} belum menjawab pertanyaan tentang {matter}. Pesan yang dikirim kepadanya sejak "
            "pagi hanya terbaca, sedangkan ruang kerjanya di {unit} terkunci.",
            "Bila terbukti, kata {chair}, perkara {matter} akan diteruskan kepada pembina "
            "kepegawaian untuk dijatuhi hukuman menurut aturan netralitas yang berlaku.",
        ),
        (
            "Warga {unit} laporkan {matter} oleh pejabatnya",
            "Seorang warga {unit} melaporkan {name}, {office} di sana, karena diduga {act}.",
            "Laporan soal {matter} masuk ke Bawaslu {regency} lengkap dengan rekaman. Si pelapor "
            "berharap {name} tidak lagi berpihak kepada calon mana pun.",
            "Menurut {chair}, pengawas punya waktu lima hari untuk menelaah dugaan pelanggaran "
            "netralitas oleh {office} {unit} tersebut.",
        ),
    ),
    "examination": (
        (
            "Bawaslu {regency} periksa {office} {unit}",
            "Bawaslu {regency} memeriksa {office} {unit}, {name}, yang diduga {act}.",
            "{name} datang memenuhi panggilan klarifikasi dan dimintai keterangan selama tiga jam. "
            "Pemeriksaan berkisar pada {matter}, yang sebelumnya dilaporkan warga sebagai "
            "pelanggaran netralitas.",
            "Ketua Bawaslu {regency}, {chair}, menyebut dua saksi lain tentang {matter} menyusul "
            "diperiksa besok. Hasil klarifikasi akan dibahas dalam rapat pleno.",
        ),
        (
            "Tiga jam diklarifikasi, pejabat {unit} ditanya soal {matter}",
            "Selama tiga jam {name} menjalani pemeriksaan di kantor Bawaslu {regency}.",
            "Pria yang menjabat {office} {unit} itu diklarifikasi soal {matter}. Ia diduga {act}.",
            "Kepada pemeriksa {name} menjawab dua puluh pertanyaan, kata {chair} seusai "
            "klarifikasi dugaan pelanggaran netralitas tersebut.",
        ),
    ),
    "sanction": (
        (
            "{office} {unit} dijatuhi sanksi karena tidak netral",
            "Bupati menjatuhkan sanksi kepada {office} {unit}, {name}, yang terbukti melanggar "
            "netralitas.",
            "Hukuman disiplin berupa penurunan jabatan selama setahun itu dijatuhkan atas "
            "rekomendasi Bawaslu {regency}. {name} terbukti {act}.",
            "Ketua Bawaslu {regency}, {chair}, menyambut putusan tentang {matter} itu. Sanksi "
            "serupa menanti siapa pun yang melanggar netralitas, katanya.",
        ),
        (
            "Terbukti tak netral, pejabat {unit} diturunkan jabatannya",
            "{name} tidak lagi menjabat {office} {unit} setelah sanksi disiplin dijatuhkan "
            "kepadanya.",
            "Perkara {matter} di {regency} berakhir dengan putusan bersalah: ia terbukti {act}, "
            "pelanggaran netralitas yang berat.",
            "Sanksi itu berlaku mulai hari ini, ujar {chair} dari Bawaslu {regency}.",
        ),
    ),
    "outreach": (
        (
            "Bawaslu {regency} ingatkan ASN jaga netralitas",
            "Bawaslu {regency} menggelar sosialisasi netralitas ASN di {venue}.",
            "Ketua Bawaslu {regency}, {chair}, mengimbau aparatur sipil negara agar tidak ikut "
            "berpolitik praktis, tidak memberi tanda suka pada unggahan calon, dan tidak memakai "
            "fasilitas negara untuk kampanye.",
            "Sosialisasi di {venue} diikuti guru, lurah, kepala desa dan pegawai dinas. Pembicara "
            "lain, {name} dari {unit}, mengingatkan ancaman hukuman bagi yang melanggar imbauan.",
        ),
        (
            "Sosialisasi di {venue}: ASN {regency} diminta netral",
            "Ratusan ASN mengikuti sosialisasi di {venue}, {regency}.",
            "Di hadapan mereka {chair} mengimbau agar netralitas dijaga sampai akhir masa "
            "pemilihan. Imbauan yang sama disampaikan {name} dari {unit}.",
        ),
    ),
    "pledge": (
        (
            "ASN {regency} ucapkan ikrar netralitas",
            "Aparatur sipil negara di {regency} mengucapkan ikrar netralitas di halaman {venue}.",
            "Ikrar dibacakan {name}, pegawai {unit}, lalu ditandatangani dalam pakta integritas. "
            "Ketua Bawaslu {regency}, {chair}, menjadi saksi deklarasi itu.",
            "Isi ikrar: menjaga netralitas, menolak politik uang, dan tidak berpihak kepada "
            "pasangan calon mana pun selama masa pemilihan berlangsung. Yang melanggarnya siap "
            "menerima hukuman disiplin menurut aturan kepegawaian.",
        ),
        (
            "Ikrar netral di {venue}, pakta integritas diteken",
            "Pakta integritas diteken pegawai {regency} sesudah pembacaan ikrar netralitas ASN di "
            "{venue}.",
            "Yang membacakan ikrar adalah {name} dari {unit}, disaksikan {chair} selaku ketua "
            "Bawaslu {regency}.",
        ),
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Case:
    """Something that happens in a regency, and who has to do with it."""

    number: int
    place: Place
    office: str
    words: dict[str, str]

    def told(self, kind: str, form: int) -> tuple[str, str]:
        """Title and text of an article about it."""
        title, *text = (part.format(**self.words) for part in FORMS[kind][form])
        return title, "\n".join(text)


@cache
def _regencies(provinces: Sequence[str]) -> Sequence[Place]:
    """Their regencies that a plain name of one word means."""
    gazetteer = load()
    found = []
    for area in gazetteer.areas.values():
        name = area.name.removeprefix("Kabupaten ")
        if area.level == "regency" and area.province in provinces and " " not in name:
            meant = gazetteer.names.get(name.lower(), ())
            if len(meant) == 1:
                found.append(area)
    return random.Random(1).sample(found, len(found))  # noqa: S311


class Cases:
    """As many cases as are asked for, in the regencies of `provinces`, no two with the same
    people."""

    def __init__(self, seed: int, provinces: Sequence[str] = PROVINCES) -> None:
        self._provinces = tuple(provinces)
        self._chance = random.Random(seed)  # noqa: S311
        self._taken: set[str] = set()
        self._turn: dict[str | None, int] = {}
        self._number = 0

    def new(self, province: str | None = None) -> Case:
        """The next case, somewhere or in `province`."""
        own = [place for place in _regencies(self._provinces) if province in (None, place.province)]
        turn = self._turn.get(province, 0)
        self._turn[province] = turn + 1
        self._number += 1
        place, chance = own[turn % len(own)], self._chance
        act, matter = chance.choice(ACTS)
        pair = f"calon bupati {self._name(1)}"
        venue = f"{chance.choice(('Gedung', 'Lapangan', 'Balai'))} {self._name(1)}"
        office = chance.choice(OFFICES)
        words = {
            "regency": place.name.removeprefix("Kabupaten "),
            "office": office, "unit": self._name(1), "name": self._name(2),
            "chair": self._name(2), "venue": venue, "matter": matter,
            "act": act.format(pair=pair, venue=venue),
        }  # fmt: skip
        return Case(self._number, place, office, words)

    def _name(self, words: int) -> str:
        names = []
        while len(names) < words:
            name = "".join(
                self._chance.choice("bdgjklmnprstw") + self._chance.choice("aeiou")
                for _ in range(4)
            )
            if name not in self._taken:
                self._taken.add(name)
                names.append(name.capitalize())
        return " ".join(names)
