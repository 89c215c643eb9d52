"""Texts that are not UTF-8: their encoding is told from the words, however few, not from the numbers around them."""

import pytest

from pidreg_cli.data.sources.encodings import likely_encodings

NUMBERS = "".join(f"{row}.5,{row % 7},{row * row}\n" for row in range(300))


@pytest.mark.parametrize(
    ("encoding", "words"),
    [
        ("cp1252", "Größe"),
        ("cp1252", "ä ö ü"),
        ("cp1252", "männlich weiblich Körpergröße"),
        ("cp1252", "année température âge garçon"),
        ("cp1252", "edad años niño Málaga"),
        ("cp1252", "µg/l °C"),
        ("cp1250", "Łódź Kraków płeć wzrost"),
        ("cp1251", "Москва Казань возраст М Ж"),
        ("cp1251", "да нет"),
        ("cp1253", "Αθήνα Πάτρα πόλη"),
        ("shift_jis", "東京 大阪 年齢 体重"),
        ("gb18030", "北京 上海 年龄 体重"),
        ("euc_kr", "서울 부산 나이 체중"),
    ],
)
def test_the_encoding_of_a_few_words_among_numbers_is_told(encoding: str, words: str) -> None:
    content = (words.replace(" ", ",") + "\n" + NUMBERS).encode(encoding)
    found = likely_encodings(content)[0]
    assert content.decode(found) == content.decode(encoding)
