"""Sentences of many languages in the encodings that old files have, written for this project."""

from __future__ import annotations

from collections.abc import Iterator

SENTENCES: dict[str, tuple[list[str], list[str]]] = {
    "German": (
        ["cp1252", "iso-8859-1", "iso-8859-15", "mac-roman", "cp850"],
        [
            "Der Zug fährt täglich um neun Uhr nach München.",
            "Am Wochenende schließt das Museum früher als üblich.",
            "Für Schüler ist der Eintritt frei, für Ältere ermäßigt.",
            "Größere Gruppen müssen sich zwei Tage vorher anmelden.",
        ],
    ),
    "French": (
        ["cp1252", "iso-8859-1", "iso-8859-15", "mac-roman", "cp850"],
        [
            "Le musée est fermé le lundi et les jours fériés.",
            "Les élèves de moins de douze ans entrent sans payer.",
            "Où se trouve la clé de la grange ? Derrière le fossé.",
            "Après la fête, nous avons mangé un gâteau très léger.",
        ],
    ),
    "Spanish": (
        ["cp1252", "iso-8859-1", "mac-roman"],
        [
            "El autobús sale a las siete de la mañana.",
            "¿Cuánto cuesta la entrada para los niños pequeños?",
            "La sesión comenzará después de la reunión del jueves.",
            "Mañana habrá una exposición en el jardín botánico.",
        ],
    ),
    "Polish": (
        ["cp1250", "iso-8859-2"],
        [
            "Muzeum jest zamknięte w poniedziałki i święta.",
            "Proszę zgłosić się do biura najpóźniej w środę.",
            "Dzieci poniżej siedmiu lat wchodzą bezpłatnie.",
            "Źródło znajduje się za małym mostem, obok łąki.",
        ],
    ),
    "Czech": (
        ["cp1250", "iso-8859-2"],
        [
            "Vlak odjíždí každý den v devět hodin ráno.",
            "Příští schůze se koná až po letních prázdninách.",
            "Děti do šesti let mají vstup zdarma.",
            "Klíč od stodoly visí vpravo za dveřmi.",
        ],
    ),
    "Hungarian": (
        ["cp1250", "iso-8859-2"],
        [
            "A múzeum hétfőn és ünnepnapokon zárva tart.",
            "A következő gyűlést szeptember elején tartjuk.",
            "Kérjük, előre jelezze, ha több vendég érkezik.",
            "A kulcs az ajtó mögött, a jobb oldalon függ.",
        ],
    ),
    "Russian": (
        ["cp1251", "koi8-r", "iso-8859-5", "cp866", "mac-cyrillic"],
        [
            "Музей закрыт по понедельникам и в праздничные дни.",
            "Поезд отправляется каждое утро в девять часов.",
            "Дети до семи лет проходят бесплатно.",
            "Ключ от сарая висит справа за дверью.",
        ],
    ),
    "Ukrainian": (
        ["cp1251", "koi8-u"],
        [
            "Музей зачинений щопонеділка та у святкові дні.",
            "Потяг вирушає щоранку о дев’ятій годині.".replace("’", "'"),
            "Діти до семи років заходять безкоштовно.",
            "Ключ від комори висить праворуч за дверима.",
        ],
    ),
    "Bulgarian": (
        ["cp1251", "iso-8859-5"],
        [
            "Музеят е затворен в понеделник и на празници.",
            "Влакът тръгва всяка сутрин в девет часа.",
            "Децата до седем години влизат безплатно.",
            "Ключът за плевнята виси отдясно зад вратата.",
        ],
    ),
    "Greek": (
        ["cp1253", "iso-8859-7"],
        [
            "Το μουσείο είναι κλειστό τη Δευτέρα και τις αργίες.",
            "Το τρένο φεύγει κάθε πρωί στις εννέα.",
            "Τα παιδιά κάτω των επτά ετών μπαίνουν δωρεάν.",
            "Το κλειδί της αποθήκης κρέμεται πίσω από την πόρτα.",
        ],
    ),
    "Turkish": (
        ["cp1254", "iso-8859-9"],
        [
            "Müze pazartesi günleri ve bayramlarda kapalıdır.",
            "Tren her sabah saat dokuzda kalkıyor.",
            "Yedi yaşından küçük çocuklar ücretsiz girer.",
            "Ahırın anahtarı kapının arkasında, sağda asılıdır.",
        ],
    ),
    "Hebrew": (
        ["cp1255", "iso-8859-8"],
        [
            "המוזיאון סגור בימי שני ובחגים.",
            "הרכבת יוצאת בכל בוקר בשעה תשע.",
            "ילדים עד גיל שבע נכנסים בחינם.",
            "המפתח של האסם תלוי מאחורי הדלת.",
        ],
    ),
    "Arabic": (
        ["cp1256", "iso-8859-6"],
        [
            "المتحف مغلق يوم الاثنين وفي أيام العطل.",
            "يغادر القطار كل صباح في الساعة التاسعة.",
            "يدخل الأطفال دون السابعة مجانا.",
            "مفتاح المخزن معلق خلف الباب.",
        ],
    ),
    "Lithuanian": (
        ["cp1257", "iso-8859-13"],
        [
            "Muziejus nedirba pirmadieniais ir švenčių dienomis.",
            "Traukinys išvyksta kiekvieną rytą devintą valandą.",
            "Vaikai iki septynerių metų įleidžiami nemokamai.",
            "Daržinės raktas kabo dešinėje už durų.",
        ],
    ),
    "Japanese": (
        ["cp932", "euc_jp"],
        [
            "博物館は月曜日と祝日に休みます。",
            "列車は毎朝九時に出発します。",
            "七歳未満の子供は無料で入場できます。",
            "納屋の鍵はドアの後ろに掛かっています。",
        ],
    ),
    "Chinese, simplified": (
        ["gb18030"],
        [
            "博物馆星期一和节假日关闭。",
            "火车每天早上九点出发。",
            "七岁以下的儿童免费入场。",
            "谷仓的钥匙挂在门后面。",
        ],
    ),
    "Chinese, traditional": (
        ["big5"],
        [
            "博物館星期一和節日關閉。",
            "火車每天早上九點出發。",
            "七歲以下的兒童免費入場。",
            "穀倉的鑰匙掛在門後面。",
        ],
    ),
    "Korean": (
        ["cp949"],
        [
            "박물관은 월요일과 공휴일에 문을 닫습니다.",
            "기차는 매일 아침 아홉 시에 출발합니다.",
            "일곱 살 미만의 어린이는 무료로 입장합니다.",
            "헛간 열쇠는 문 뒤에 걸려 있습니다.",
        ],
    ),
    "Thai": (
        ["cp874"],
        [
            "พิพิธภัณฑ์ปิดวันจันทร์และวันหยุด",
            "รถไฟออกทุกเช้าเวลาเก้าโมง",
            "เด็กอายุต่ำกว่าเจ็ดปีเข้าฟรี",
            "กุญแจโรงนาแขวนอยู่หลังประตู",
        ],
    ),
}


def samples() -> Iterator[tuple[str, str, str]]:
    """Language, encoding, text: single sentences, two, and all four."""
    for language, (encodings, sentences) in SENTENCES.items():
        for encoding in encodings:
            for text in (*sentences, "\n".join(sentences[:2]), "\n".join(sentences[2:]), "\n\n".join(sentences)):
                yield language, encoding, text
