# SPDX-License-Identifier: MIT
"""The demo's interpreter work: build a document, write it as JSON, read it back, look things up."""
import json

document = {"rows": [{"id": i, "name": "row %d" % i, "tags": [i % 7, i % 11], "price": i * 0.25}
                     for i in range(60000)]}
text = json.dumps(document)
back = json.loads(text)
total = sum(row["price"] for row in back["rows"] if row["tags"][0] == 3)
print(len(text), len(back["rows"]), total)
