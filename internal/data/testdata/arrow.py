# Wrote arrow.csv and arrow*.parquet (pyarrow 26.0.1).
import datetime as dt, decimal as d, pyarrow as pa, pyarrow.parquet as pq
n=50
def every(f, k): return [None if i%7==k else f(i) for i in range(n)]
t=pa.table({
 "id": pa.array(range(n), pa.int64()),
 "age": pa.array(every(lambda i: 20+i/4, 3), pa.float64()),
 "sex": pa.array(every(lambda i: ["f","m"][i%2], 5)).dictionary_encode(),
 "text": pa.array(every(lambda i: "x"*(i%9)+"é", 1)),
 "small": pa.array(every(lambda i: i-25, 2), pa.int8()),
 "big": pa.array(every(lambda i: 2**64-1-i, 4), pa.uint64()),
 "yes": pa.array(every(lambda i: i%3==0, 6)),
 "dose": pa.array(every(lambda i: d.Decimal(i*5-12)/100, 0), pa.decimal128(9,2)),
 "day": pa.array(every(lambda i: dt.date(1969,12,20)+dt.timedelta(days=i), 1), pa.date32()),
 "seen": pa.array(every(lambda i: dt.datetime(2020,1,1,2,3,4,5000)+dt.timedelta(hours=i), 3), pa.timestamp("us")),
 "tags": pa.array([["a"]*(i%3) for i in range(n)]),
 "in": pa.array([{"a": i, "b": "x"} for i in range(n)]),
 "f": pa.array(every(lambda i: i/8, 2), pa.float32()),
})
import os, sys
out=sys.argv[1]
pq.write_table(t, out+"/arrow.parquet")
pq.write_table(t, out+"/arrow-2.parquet", data_page_version="2.0", compression="zstd", row_group_size=20, data_page_size=64)
pq.write_table(t, out+"/arrow-old.parquet", version="1.0", compression="gzip", use_deprecated_int96_timestamps=True, store_schema=False, use_dictionary=False,
  column_encoding={"id":"DELTA_BINARY_PACKED","text":"DELTA_BYTE_ARRAY","sex":"DELTA_LENGTH_BYTE_ARRAY","f":"BYTE_STREAM_SPLIT","age":"PLAIN"})
cols=[c for c in t.column_names if c not in ("tags","in")]
def cell(c,v):
    if v is None: return ""
    if isinstance(v,bool): return str(v).lower()
    if isinstance(v,dt.datetime): return v.strftime("%Y-%m-%dT%H:%M:%S.005Z")
    if isinstance(v,dt.date): return v.isoformat()
    if isinstance(v,float): return ("%r"%v)[:-2] if v==int(v) else "%r"%v
    return str(v)
rows=t.to_pylist()
with open(out+"/arrow.csv","w") as f:
    f.write(",".join(cols)+"\n")
    for r in rows: f.write(",".join(cell(c,r[c]) for c in cols)+"\n")
