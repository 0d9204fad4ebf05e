"""Converts other databases' column types to DuckDB's."""

from __future__ import annotations

from .ddl_tokens import DdlToken, Group, Node, nest, read_tokens, split

# The names of each type in other databases; several words are one name.
NAMES = {
    "TINYINT": "tinyint,byteint,byte,int1",
    "SMALLINT": "smallint,int2,int16,short,smallserial,serial2,year",
    "INTEGER": "integer,int,int4,int32,mediumint,middleint,signed,serial,serial4,pls_integer",
    "BIGINT": "bigint,int8,int64,long,big int,bigserial,serial8",
    "HUGEINT": "hugeint,int128,int256,uint256,largeint",
    "UTINYINT": "utinyint,uint8,uint1",
    "USMALLINT": "usmallint,uint16",
    "UINTEGER": "uinteger,uint,uint32",
    "UBIGINT": "ubigint,uint64,unsigned big int,unsigned bigint",
    "UHUGEINT": "uhugeint,uint128",
    "FLOAT": "float,float4,float32,real,binary_float,float16,bfloat16,half_float,smallfloat",
    "DOUBLE": "double,float8,float64,double precision,binary_double,decfloat,bigfloat",
    "BOOLEAN": "boolean,bool,bit",
    "VARCHAR": "varchar,char,character,text,string,varchar2,nvarchar,nvarchar2,nchar,nchar2,bpchar,clob,nclob,dbclob,"
    "tinytext,mediumtext,longtext,ntext,character varying,char varying,national character,national char,"
    "national varchar,national character varying,national char varying,nchar varying,native character,"
    "varying character,character large object,char large object,national character large object,nchar large object,"
    "long varchar,lvarchar,citext,name,sysname,fixedstring,xml,xmltype,graphic,vargraphic,long vargraphic,set,inet,"
    "inet4,inet6,cidr,macaddr,macaddr8,ipv4,ipv6,ipaddress,alphanum,shorttext,hierarchyid,tsvector,tsquery,urowid,rowid,enum,varcharacter",
    "BLOB": "blob,bytea,binary,varbinary,bytes,raw,long raw,tinyblob,mediumblob,longblob,image,bfile,rowversion,"
    "binary large object,binary varying,varbyte,byte varying,long varbinary",
    "BIT": "bit varying,varbit,bitstring",
    "DATE": "date,date32,datev2",
    "TIME": "time,time without time zone,time64,time32",
    "TIME WITH TIME ZONE": "time with time zone,timetz",
    "TIMESTAMP": "timestamp,datetime,datetime2,smalldatetime,datetime64,datetime32,datetimev2,timestamp_ntz,"
    "timestampntz,timestamp without time zone,seconddate,datetime year to second",
    "TIMESTAMP_S": "timestamp_s",
    "TIMESTAMP_MS": "timestamp_ms",
    "TIMESTAMP_NS": "timestamp_ns",
    "TIMESTAMP WITH TIME ZONE": "timestamp with time zone,timestamp with local time zone,timestamptz,timestamp_ltz,"
    "timestampltz,timestamp_tz,datetimeoffset",
    "INTERVAL": "interval,interval_day_time,interval_year_month",
    "DECIMAL": "decimal,numeric,number,dec,fixed,decimalv3,decimalv2,bignumeric,bigdecimal",
    "DECIMAL(19,4)": "money",
    "DECIMAL(10,4)": "smallmoney",
    "UUID": "uuid,uniqueidentifier,guid",
    "JSON": "json,jsonb,super,object,array,map,struct",
    "VARIANT": "variant,sql_variant,dynamic",
    "GEOMETRY": "geometry",
}
DUCKDB_NAME = {name: type_name for type_name, names in NAMES.items() for name in names.split(",")}
MAX_NAME_WORDS = max(name.count(" ") + 1 for name in DUCKDB_NAME)
EXACT_SPELLING = {"Int8": "TINYINT"}  # In ClickHouse these names, written like this, mean other types.
DECIMAL_DIGITS = {"decimal32": 9, "decimal64": 18, "decimal128": 38, "decimal256": 38}
UNSIGNED = {"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT"}
MODIFIERS = {"unsigned", "signed", "zerofill", "precision", "binary", "byte", "ascii", "unicode", "serial"}
INTERVAL_UNITS = {"year", "month", "day", "hour", "minute", "second", "to"}
TRANSPARENT = {"nullable", "lowcardinality", "simpleaggregatefunction", "readonly"}
LISTS = {"array", "list", "multiset"}
RECORDS = {"struct", "row", "tuple", "object", "nested", "union"}
VECTORS = {"vector", "halfvec", "real_vector"}
DEEPEST = 20  # Maximum nesting of types; a deeper type is left as it is written.


def read_type(text: str) -> str:
    """Return DuckDB's name of a type in any database's spelling; an unknown type is returned unchanged."""
    tokens = [token for token in read_tokens(text) if token.kind != "comment"]
    return duckdb_type(nest(tokens))[0]


def is_known(nodes: list[Node], at: int) -> bool:
    """Whether the name of a known type is at a position."""
    if at >= len(nodes) or nodes[at].kind not in ("word", "name"):
        return False
    word = nodes[at].text.lower()
    nested = word in TRANSPARENT | LISTS | RECORDS | VECTORS | {"map", "enum8", "enum16", "aggregatefunction"}
    if nested:
        return isinstance(nodes[at + 1], Group) if at + 1 < len(nodes) else False
    return word in DUCKDB_NAME or word in DECIMAL_DIGITS or _long_name(nodes, at)[1] > 0


def duckdb_type(nodes: list[Node], depth: int = 0) -> tuple[str, list[Node]]:
    """Return DuckDB's name of the type at the beginning of the nodes, and the remaining nodes.

    Args:
        nodes: a type and what follows it: `varchar(20)`, `int unsigned`, `map<string, int>`, `text[]`.
        depth: the number of enclosing brackets.
    """
    if not nodes:
        return "", []
    type_name, rest = _scalar_or_nested(nodes, depth)
    type_name, rest = _with_modifiers(type_name, rest)
    while rest:
        dimension = rest[0].text if rest[0].kind == "name" else None
        if _is_dimension(rest[0]):
            type_name, rest = f"{type_name}[{dimension or ''}]", rest[1:]
        elif rest[0].lower == "array":
            type_name, rest = f"{type_name}[]", rest[2:] if len(rest) > 1 and _is_dimension(rest[1]) else rest[1:]
        else:
            break
    return type_name, rest


def _is_dimension(node: Node) -> bool:
    """Whether a node is [] or [3] after a type."""
    if isinstance(node, Group):
        return node.open.text == "[" and not node.nodes
    return node.kind == "name" and (not node.text or node.text.isdigit())


def _scalar_or_nested(nodes: list[Node], depth: int) -> tuple[str, list[Node]]:
    head, group = nodes[0], nodes[1] if len(nodes) > 1 and isinstance(nodes[1], Group) else None
    word = head.text.lower()
    if group is not None and depth < DEEPEST and (found := _nested(word, group, depth)):
        return found, nodes[2:]
    name, length = _long_name(nodes, 0)
    if not length:
        return _unknown(nodes)
    rest = nodes[length:]
    if rest and isinstance(rest[0], Group) and rest[0].open.text == "(":
        if name == "DECIMAL":
            name = _decimal(_numbers(rest[0]), word)
        elif word == "byte":
            name = "BLOB"
        elif word == "bit" and _numbers(rest[0]) != [1]:
            name = "BIT"
        elif word == "float" and max(_numbers(rest[0]), default=0) > 24:
            name = "DOUBLE"
        rest = rest[1:]
    elif name == "DECIMAL":
        name = _decimal([], word)
    return name, rest


def _long_name(nodes: list[Node], at: int) -> tuple[str, int]:
    """Return DuckDB's name for the longest sequence of words that names a type, and its length; 0 if none does."""
    if at < len(nodes) and (exact := EXACT_SPELLING.get(nodes[at].text)):
        return exact, 1
    words: list[str] = []
    for node in nodes[at : at + MAX_NAME_WORDS]:
        if node.kind not in ("word", "name", "double"):
            break
        words.append(node.text.lower())
    for count in range(len(words), 0, -1):
        if name := DUCKDB_NAME.get(" ".join(words[:count])):
            return name, count
    return "", 0


def _nested(word: str, group: Group, depth: int) -> str:
    """Return a type with parameters: other types, numbers or strings; '' if it is not such a type."""
    items = [item for item in split(group.nodes) if item]
    if not items:
        return ""
    if word in TRANSPARENT:
        return duckdb_type(items[-1], depth + 1)[0]
    if word in LISTS:
        return f"{duckdb_type(items[0], depth + 1)[0]}[]"
    if word == "map" and len(items) == 2:
        key, value = (duckdb_type(item, depth + 1)[0] for item in items)
        return f"MAP({key}, {value})"
    if word == "object" and items[0][0].kind == "string":
        return "JSON"  # ClickHouse: Object('json')
    if word in RECORDS:
        fields = ", ".join(_field(item, at, depth) for at, item in enumerate(items, 1))
        type_name = "UNION" if word == "union" else "STRUCT"
        return f"{type_name}({fields}){'[]' if word == 'nested' else ''}"
    if word in ("enum", "enum8", "enum16"):
        values = dict.fromkeys(
            item[0].text.replace("'", "''") for item in items if item[0].kind in ("string", "double")
        )
        return f"ENUM({', '.join(f'{chr(39)}{value}{chr(39)}' for value in values)})" if values else ""
    numbers = _numbers(group)
    if word in VECTORS and numbers:
        return f"FLOAT[{numbers[0]}]"
    if word in DECIMAL_DIGITS and numbers:
        return _decimal([DECIMAL_DIGITS[word], *numbers], word)
    return ""


def _field(item: list[Node], at: int, depth: int) -> str:
    """Return a field of a STRUCT: `a INT`, `a: int`, or a type alone."""
    if len(item) == 1 or isinstance(item[1], Group):
        name, type_name = str(at), item
    else:
        name, type_name = item[0].text, item[2:] if item[1].lower == ":" else item[1:]
    plain = name.isascii() and name.replace("_", "a").isalnum() and not name[0].isdigit()
    escaped = name.replace('"', '""')
    return f"{name if plain else chr(34) + escaped + chr(34)} {duckdb_type(type_name, depth + 1)[0]}"


def _numbers(group: Group) -> list[int]:
    if group.nodes and group.nodes[0].lower == "*":
        return [38, *_numbers(Group(group.open, group.nodes[1:]))]  # Oracle's NUMBER(*, 0)
    return [
        int(sign + token.text)
        for before, token in zip([None, *group.nodes], group.nodes, strict=False)
        if token.text.isascii() and token.text.isdigit() and len(token.text) < 5
        for sign in ["-" if before is not None and before.lower == "-" else ""]
    ]


def _decimal(numbers: list[int], word: str) -> str:
    """Return DECIMAL with the digits that DuckDB supports: at most 38."""
    if not numbers:
        return "DECIMAL(38,9)" if word.startswith("big") else "DECIMAL(18,3)"
    width = min(max(numbers[0], 1), 38)
    scale = min(max(numbers[1] if len(numbers) > 1 else 0, 0), width)
    return f"DECIMAL({width},{scale})"


def _with_modifiers(type_name: str, rest: list[Node]) -> tuple[str, list[Node]]:
    """Read the words after a type that belong to it: unsigned, with time zone, for bit data."""
    words = [node.lower for node in rest[:4]]
    if "unsigned" in words[:2] and type_name in UNSIGNED:
        type_name = "U" + type_name
    while rest and rest[0].lower in MODIFIERS:
        rest = rest[1:]
    words = [node.lower for node in rest[:4]]
    if words[:3] == ["with", "time", "zone"] or words[:4] == ["with", "local", "time", "zone"]:
        return f"{type_name.partition(' ')[0]} WITH TIME ZONE", rest[words.index("zone") + 1 :]
    if words[:3] == ["without", "time", "zone"]:
        return type_name, rest[3:]
    if words[:3] == ["for", "bit", "data"]:
        return "BLOB", rest[3:]
    if words[:1] in (["varying"], ["large"]):
        return type_name, rest[1:]
    if type_name == "INTERVAL":
        while rest and (rest[0].lower in INTERVAL_UNITS or isinstance(rest[0], Group)):
            rest = rest[1:]
    return type_name, rest


def _unknown(nodes: list[Node]) -> tuple[str, list[Node]]:
    """Return an unknown type's own name, with its dots and brackets, in upper case."""
    text, at = nodes[0].text, 1
    while at + 1 < len(nodes) and nodes[at].lower == ".":
        text, at = f"{text}.{nodes[at + 1].text}", at + 2
    if at > 1 and _long_name(nodes, at - 1)[1]:
        return _scalar_or_nested(nodes[at - 1 :], 0)  # "pg_catalog"."int4", [sys].[hierarchyid]
    if at < len(nodes) and isinstance(group := nodes[at], Group) and group.open.text in "(<":
        text, at = text + written(group), at + 1
    return text.upper(), nodes[at:]


def written(node: Node, max_length: int = 200) -> str:
    """Return nodes as text again, truncated if it is long."""
    parts: list[str] = []
    _write(node, parts, max_length)
    text = "".join(parts).replace("( ", "(").replace("< ", "<")
    return text if len(text) <= max_length else text[:max_length] + "…"


def _write(node: Node, parts: list[str], max_length: int, depth: int = 0) -> None:
    if len(parts) > max_length or depth > DEEPEST:
        return
    if isinstance(node, DdlToken):
        glued = node.kind == "mark" and node.text in ",.:"
        parts.append(("" if glued else " ") + (f"'{node.text}'" if node.kind == "string" else node.text))
        return
    parts.append(node.open.text)
    for part in node.nodes:
        _write(part, parts, max_length, depth + 1)
    parts.append({"(": ")", "<": ">", "[": "]"}.get(node.open.text, "}"))
