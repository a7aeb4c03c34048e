"""What a translation must have in common with the English text, and the words that it must not have."""

import re
from collections.abc import Callable, Iterator, Mapping

from markdown_it import MarkdownIt

from iolab.learn.texts import OF_ENGLISH

FENCE = re.compile(r"^```.*?\n.*?^```$", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"`[^`\n]+`")
LINK = re.compile(r"<(https?://[^>]+)>|\]\(([^)]+)\)")
PLACEHOLDER = re.compile(r"\{\w+\}")
NUMBER = re.compile(r"\d[\d.,]*(?<![.,])")
SPACED = re.compile(r"[\u4e00-\u9fff][A-Za-z0-9]|[A-Za-z0-9%][\u4e00-\u9fff]")
HALF_WIDTH = re.compile(r"[\u4e00-\u9fff][,.;:?!]|[,;:?!] ?[\u4e00-\u9fff]")
MARKDOWN = MarkdownIt().enable("table")

# Words of other places, and the Taiwanese ones.
FOREIGN: Mapping[str, str] = {
    "線程": "執行緒",
    "進程": "行程",
    "協程": "coroutine",
    "服務器": "伺服器",
    "數據": "資料、數字",
    "默認": "預設",
    "缺省": "預設",
    "網絡": "網路",
    "文件描述": "檔案描述子",
    "文件系統": "檔案系統",
    "文件夾": "資料夾",
    "軟件": "軟體",
    "硬件": "硬體",
    "硬盤": "硬碟",
    "程序": "程式",
    "隊列": "佇列",
    "堆棧": "堆疊",
    "字節": "位元組",
    "字符": "字元",
    "內存": "記憶體",
    "緩存": "快取",
    "內核": "核心",
    "接口": "介面",
    "界面": "介面",
    "端口": "連接埠",
    "套接字": "socket",
    "視頻": "影片",
    "用戶(?!端)": "使用者",
    "客戶端": "用戶端",
    "運行": "執行",
    "信息": "訊息、資訊",
    "通過": "透過，或做到",
    "打印": "印出",
    "源碼": "原始碼",
    "(?<!程式)代碼": "程式碼",
    "響應": "回應",
    "鏈接": "連結",
    "[併並]發": "並行",
    "異步": "非同步",
    "回調": "回呼",
    "調用": "呼叫",
    "事件循環": "事件迴圈",
    "變量": "變數",
    "數組": "陣列",
    "列表": "清單",
    "返回": "回傳、回到",
    "示例": "範例",
    "訪問": "存取、連上",
    "加載": "載入",
    "創建": "建立",
    "獲取": "取得",
    "設置": "設定",
    "搜索": "搜尋",
    "查找": "尋找",
    "登錄": "登入",
    "兼容": "相容",
    "支持": "支援",
    "優化": "最佳化",
    "模塊": "模組",
    "屏幕": "螢幕",
    "鼠標": "滑鼠",
    "菜單": "選單",
    "帶寬": "頻寬",
    "負載均衡": "負載平衡",
    "握手": "交握",
    "丟包": "遺失封包",
    "實時": "即時",
    "吞吐率": "吞吐量",
    "命令行": "命令列",
    "質量": "品質",
    "教程": "教學",
}
# Terms whose first use in a part has the English one after it.
TERMS: Mapping[str, str] = {
    "核心": "kernel",
    "行程": "process",
    "執行緒": "thread",
    "執行緒池": "thread pool",
    "伺服器": "server",
    "檔案描述子": "file descriptor",
    "事件迴圈": "event loop",
    "系統呼叫": "system call",
    "逾時": "timeout",
    "連線": "connection",
    "請求": "request",
    "監聽佇列": "listen backlog",
    "接受佇列": "accept queue",
    "封閉迴路": "closed loop",
    "開放迴路": "open loop",
    "服務時間": "service time",
    "回應時間": "response time",
    "中位數": "median",
    "長輪詢": "long poll",
    "阻塞式": "blocking",
    "連接埠": "port",
    "套件": "package",
}
FOREIGN_WORD = re.compile("|".join(f"(?:{word})" for word in FOREIGN))
# Simplified characters that cp950, the encoding of Taiwan, has as rare characters of another meaning.
ALSO_SIMPLIFIED = frozenset("么价优体党厂听圣坏宁庄异怀怜惊扑据机极构柜气洁痒确离种筑网胜荐触踊适里云后几")
SYMBOLS = frozenset("≈≤≥µ²")  # not in cp950


def mistakes(text: str) -> list[str]:
    """Return the words, characters and punctuation of a Chinese text that are not those of Taiwan."""
    prose = re.sub(r"<!--.*?-->", "", CODE.sub("", FENCE.sub("", text)))
    found = [f"{match[0]}: not a word of Taiwan" for match in FOREIGN_WORD.finditer(prose)]
    found += [f"{each}: a simplified character" for each in prose if _simplified(each)]
    bare = re.sub(r"[*_]", "", prose)
    found += [f"{match[0]}: needs a space" for match in SPACED.finditer(bare)]
    return found + [f"{match[0]}: needs full-width punctuation" for match in HALF_WIDTH.finditer(bare)]


def _simplified(sign: str) -> bool:
    try:
        sign.encode("cp950")
    except UnicodeEncodeError:
        return sign not in SYMBOLS
    return sign in ALSO_SIMPLIFIED


def unreadable(text: str) -> list[str]:
    """Return what Markdown does not show as it is meant: literal asterisks, and line breaks that become spaces."""
    found = []
    for block in MARKDOWN.parse(text):
        for token in block.children or ():
            if token.type == "text" and "*" in token.content:
                found.append(f"{token.content}: an asterisk is shown")
            if token.type == "softbreak":
                found.append(f"{block.content[:40]}: a line break is shown as a space")
    return found


def unexplained(part: str) -> list[str]:
    """Return the terms of a part whose first use outside of headings has no English term in parentheses after it."""
    prose = re.sub(r"^#.*$", "", _prose(part), flags=re.MULTILINE)
    found = []
    for term, english in TERMS.items():
        at = prose.find(term)
        if at >= 0 and not re.match(rf"[^（。\n]{{0,6}}（[^）]*{english}", prose[at + len(term) :]):
            found.append(f"{term}: needs {english} at its first use")
    return found


def _prose(text: str) -> str:
    return CODE.sub("", FENCE.sub("", OF_ENGLISH.sub("", text)))


SAME: Mapping[str, Callable[[str], list[str]]] = {
    "code blocks": FENCE.findall,
    "code in sentences": lambda text: sorted(CODE.findall(FENCE.sub("", text))),
    "links": lambda text: ["".join(each) for each in LINK.findall(FENCE.sub("", text))],
    "placeholders": lambda text: sorted(PLACEHOLDER.findall(_prose(text))),
    "numbers": lambda text: sorted({*NUMBER.findall(LINK.sub("", _prose(text)))}),
    "rows of tables": lambda text: [str(FENCE.sub("", text).count("\n|"))],
    "items of lists": lambda text: re.findall(r"^(?:-|\d\.) ", FENCE.sub("", text), re.MULTILINE),
}


def differences(english: str, other: str, extra: frozenset[str] = frozenset()) -> Iterator[str]:
    """Yield what differs; `extra` is code that only the translation has."""
    for name, of in SAME.items():
        there, here = of(english), [each for each in of(other) if each not in extra]
        if there != here:
            yield f"{name}: {[x for x in there if x not in here]} / {[x for x in here if x not in there]}"
