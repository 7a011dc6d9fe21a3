"""R13: identifiers found without any known-patient data, Chinese, English and mixed; nasty rows first."""

import pytest

from medarchive_analytics.deid import SurrogateKey, TextDeidentifier, load_policy

DEID = TextDeidentifier(load_policy(), SurrogateKey(b"span-table-secret-0123456789"))

# text, then (type, exact text of the span) for each identifier that must be hidden whole.
NASTY = [
    ("身份证号：９９０１０１１９６２０３０４５６７８", [("RESIDENT_ID", "９９０１０１１９６２０３０４５６７８")]),
    ("身份证号码:34052419800101001x，已核对", [("RESIDENT_ID", "34052419800101001x")]),
    ("证件号 440524188001010014 已录入", [("RESIDENT_ID", "440524188001010014")]),
    ("身份证:110105********002X。", [("RESIDENT_ID", "110105********002X")]),
    ("身份证 440524 18800101 0014 复印件一份", [("RESIDENT_ID", "440524 18800101 0014")]),
    ("身份证号：4405241880\n01010014", [("RESIDENT_ID", "4405241880\n01010014")]),
    ("身份证号：340524198001010010（校验位有误）", [("RESIDENT_ID", "340524198001010010")]),
    ("住院号0012345", [("ID_NUMBER", "0012345")]),
    ("住院号：００７８９１２", [("ID_NUMBER", "００７８９１２")]),
    ("病 案 号：B00-1182", [("ID_NUMBER", "B00-1182")]),
    ("门诊号: mz20231107a", [("ID_NUMBER", "mz20231107a")]),
    ("病理号 2024-08813", [("ID_NUMBER", "2024-08813")]),
    ("手机137 0013 8822，勿拨", [("PHONE", "137 0013 8822")]),
    ("电话：０５７１－８８０１２３４５", [("PHONE", "０５７１－８８０１２３４５")]),
    ("传真 0571-88012345转806", [("PHONE", "0571-88012345转806")]),
    ("联系电话：138****4321", [("PHONE", "138****4321")]),
    ("姓  名：孟 雨", [("PERSON", "孟 雨")]),
    ("姓名：阿依古丽·买买提  性别：女", [("PERSON", "阿依古丽·买买提")]),
    ("姓名:欧阳春兰性别:女年龄:56岁", [("PERSON", "欧阳春兰")]),
    ("姓名：张XX", [("PERSON", "张XX")]),
    ("医保卡号：K20993311", [("INSURANCE_NO", "K20993311")]),
    ("车牌浙A7K82N停于急诊门前", [("PLATE", "浙A7K82N")]),
    ("卡号：6222 0211 0800 1234 567", [("BANK_CARD", "6222 0211 0800 1234 567")]),
    ("微信：hz_liu1988 可联系", [("PHONE", "hz_liu1988")]),
    ("MRN#00482910 seen today", [("ID_NUMBER", "00482910")]),
    ("SSN 512-44-9087 on file", [("US_SSN", "512-44-9087")]),
    ("call (617)555-0182 x44 after 5", [("PHONE", "(617)555-0182 x44")]),
    ("mail j.doe+clinic@uni-hosp.example.org now", [("EMAIL", "j.doe+clinic@uni-hosp.example.org")]),
    ("portal http://10.12.0.8/emr?id=77 opened", [("URL", "http://10.12.0.8/emr?id=77")]),
    ("host 192.168.4.17 down", [("URL", "192.168.4.17")]),
]
NAMES = [
    ("联系人：毛晓光（女儿）", [("PERSON", "毛晓光")]),
    ("患者高某，男，46岁", [("PERSON", "高某")]),
    ("患者龚宝珍，女，71岁，因气促入院", [("PERSON", "龚宝珍")]),
    ("家属薛明礼签字同意", [("PERSON", "薛明礼")]),
    ("主管医师：韩立新 记录时间", [("PERSON", "韩立新")]),
    ("医师签名：罗静 / 段飞", [("PERSON", "罗静"), ("PERSON", "段飞")]),
    ("今日曹主任查房后指示停用", [("PERSON", "曹")]),
    ("请郝丽医生会诊", [("PERSON", "郝丽")]),
    ("术者：魏东明  一助：丁洁", [("PERSON", "魏东明"), ("PERSON", "丁洁")]),
    ("麻醉医师：叶帆", [("PERSON", "叶帆")]),
    ("Patient: Rosalind K. Tremblay, 54 y", [("PERSON", "Rosalind K. Tremblay")]),
    ("PATIENT NAME: TREMBLAY, ROSALIND", [("PERSON", "TREMBLAY, ROSALIND")]),
    ("Discussed with Dr. Okonkwo today", [("PERSON", "Okonkwo")]),
    ("Attending: Miriam Feldstein, MD", [("PERSON", "Miriam Feldstein")]),
    ("Signed: Peter Abernathy-Lowe, M.D.", [("PERSON", "Peter Abernathy-Lowe")]),
    ("汪海主治医师查看患者", [("PERSON", "汪海")]),
    ("my daughter Annika takes the same tablet", [("PERSON", "Annika")]),
    ("Mr. Vasquez denies pain", [("PERSON", "Vasquez")]),
]
PLACES_AND_DATES = [
    ("现住址：安徽省合肥市庐阳区濉溪路88号2栋1203室", [("ADDRESS", "安徽省合肥市庐阳区濉溪路88号2栋1203室")]),
    ("家住望江镇柳塘村三组", [("ADDRESS", "望江镇柳塘村三组")]),
    ("lives at 4418 Harbor View Drive, Apt 6B.", [("ADDRESS", "4418 Harbor View Drive, Apt 6B")]),
    ("now living in Duluth, MN with a cat", [("ADDRESS", "Duluth, MN")]),
    ("转运至协和医院", [("ORGANIZATION", "协和医院")]),
    ("Salem, OR 97301", [("ADDRESS", "Salem, OR 97301")]),
    ("曾就诊于临安市第三人民医院", [("ORGANIZATION", "临安市第三人民医院")]),
    ("transferred from Lakeview Memorial Hospital", [("ORGANIZATION", "Lakeview Memorial Hospital")]),
    ("于2023年11月7日行手术", [("DATE", "2023年11月7日")]),
    ("二〇二三年十一月七日出院", [("DATE", "二〇二三年十一月七日")]),
    ("11月9日复查", [("DATE", "11月9日")]),
    ("复查日期：20231109", [("DATE", "20231109")]),
    ("23.11.9 拔管", [("DATE", "23.11.9")]),
    ("on 11/09/2023 extubated", [("DATE", "11/09/2023")]),
    ("since November 9, 2023 stable", [("DATE", "November 9, 2023")]),
    ("9 Nov 2023: drain out", [("DATE", "9 Nov 2023")]),
    ("DOB: 1951-06-30", [("BIRTH_DATE", "1951-06-30")]),
    ("年龄：94岁", [("AGE", "94")]),
    ("a 97-year-old woman", [("AGE", "97")]),
    ("床号：+3床", [("BED", "+3床")]),
    ("moved to Bed 14B", [("BED", "14B")]),
]


@pytest.mark.parametrize(("text", "wanted"), [*NASTY, *NAMES, *PLACES_AND_DATES])
def test_identifier_is_hidden_whole_r13(text, wanted):
    """R13: each identifier lies wholly inside found spans of the right type, and is gone from the output."""
    result = DEID.deidentify(text)
    at = 0
    for kind, value in wanted:
        start = text.index(value, at)
        at = start + len(value)
        inside = [s for s in result.spans if s.start < at and s.end > start]
        covered = {i for s in inside for i in range(s.start, s.end)}
        assert all(i in covered for i in range(start, at) if text[i].isalnum())
        assert kind in {s.type for s in inside}
        if len(value) > 1:
            assert value not in result.text
    assert not result.is_quarantined, result.reason


KEPT = [
    "入院第3天，术后2日引流液约20ml，色淡红。",
    "既往帕金森病10年，川崎病史，Killip II级，Child-Pugh B级，Glasgow评分15分。",
    "阿司匹林肠溶片 100mg qd，华法林 2.5mg，二甲双胍 0.5g bid，甘露醇 125ml 静滴。",
    "血压135/85mmHg，心率82次/分，体温36.8℃，血钾4.12mmol/L，PLT 215×10^9/L，HBV-DNA 1250000 IU/ml。",
    "患者平素体健，患者于入院前3天出现发热，患者常感乏力，患者高热不退，患者时有咳嗽。",
    "心脏彩超示左室射血分数62%，左房内径38mm，主动脉瓣轻度反流。",
    "请心内科会诊，主任医师查房后同意目前治疗方案，值班医生已告知家属病情。",
    "余无特殊不适，双肺呼吸音清，未闻及干湿性罗音，腹软，无压痛及反跳痛。",
    "腹部CT：肝右叶见一约3.2cm×2.8cm低密度影，增强后明显强化。",
    "1.完善相关检查；2.抗感染治疗；3.维持水电解质平衡。",
    "本院就诊，门诊以“肺炎”收住院，病区环境安静。",
    "手术时间约90分钟，出血约50ml，切口愈合为II/甲。",
    "65岁，身高170cm，体重65kg，BMI 22.5。",
    "No fever or chills. Parkinson disease, Crohn's disease, and Graves thyroiditis are stable.",
    "Aspirin 81 mg daily, metoprolol 25 mg twice daily, insulin glargine 20 units at night.",
    "Blood pressure 128/76, heart rate 72, strength 5/5, 2/6 systolic murmur, Glasgow Coma Scale 15.",
    "Postoperative day 2: drain output 35 ml, pain 3/10, ambulating with physical therapy.",
    "Follow up in the clinic in 2 weeks. Return to the emergency department if fever above 101.5.",
    "Hemoglobin 11.2 g/dL, platelets 215000 /uL, sodium 138, potassium 4.1, creatinine 0.9 mg/dL.",
    "The patient may take 5 tablets; may 2 hours pass between doses. Family history: mother had stroke.",
    "Assessment: acute cholecystitis. Plan: laparoscopic cholecystectomy. Patient is a 58 year-old male.",
    "24 hr metformin hydrochloride 500 mg extended release oral tablet; 1 ml epoetin alfa 4000 unt/ml injection",
    "MRI of the brain showed a 3.2 x 2.1 cm lesion in the left frontal lobe without midline shift.",
]  # fmt: skip


@pytest.mark.parametrize("text", KEPT)
def test_clean_clinical_text_is_left_alone_r13(text):
    """R13: over-redaction: clinical sentences without identifiers come out unchanged."""
    result = DEID.deidentify(text)
    assert result.text == text, [(s.type, s.rule, s.start) for s in result.spans]
    assert not result.is_quarantined
