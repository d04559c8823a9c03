package data

import (
	"encoding/json"
	"time"

	"croft"
)

// Published is what an owner says of a dataset when its card is published, beside what
// the files look like.
type Published struct {
	Name, Description string
	License           string // a URL or an SPDX identifier
	URL               string // where it is described; it may be a URN
	Creator           string
	Date              time.Time
}

// croissantContext is what a card needs of the context that the specification lists.
var croissantContext = map[string]any{
	"@language": "en", "@vocab": "https://schema.org/", "sc": "https://schema.org/", "cr": "http://mlcommons.org/croissant/",
	"dct": "http://purl.org/dc/terms/", "rai": "http://mlcommons.org/croissant/RAI/", "citeAs": "cr:citeAs", "column": "cr:column", "conformsTo": "dct:conformsTo",
	"dataType": map[string]string{"@id": "cr:dataType", "@type": "@vocab"}, "extract": "cr:extract", "field": "cr:field",
	"fileSet": "cr:fileSet", "includes": "cr:includes", "isLiveDataset": "cr:isLiveDataset", "recordSet": "cr:recordSet", "source": "cr:source",
}

// Croissant returns a dataset card in JSON-LD as Croissant 1.1 describes it
// (http://mlcommons.org/croissant/1.1): who has which columns, under which license.
// Rows stay where they are, so the distribution is a set of files without an address
// and without a checksum, against which content could be guessed; ranges, levels and
// columns that the draft leaves out are not in it.
func Croissant(p Published, d Draft) ([]byte, error) {
	const files = "rows"
	type object map[string]any
	fields := []object{}
	for _, c := range d.Columns {
		kind := "sc:Text"
		if c.Kind == croft.Number {
			kind = "sc:Float"
		}
		fields = append(fields, object{"@type": "cr:Field", "@id": "row/" + c.Name, "name": c.Name, "dataType": kind,
			"source": object{"fileSet": object{"@id": files}, "extract": object{"column": c.Name}}})
	}
	return json.MarshalIndent(object{
		"@context": croissantContext, "@type": "sc:Dataset", "conformsTo": "http://mlcommons.org/croissant/1.1",
		"name": p.Name, "description": p.Description, "license": p.License, "url": p.URL,
		"creator": object{"@type": "sc:Organization", "name": p.Creator}, "datePublished": p.Date.UTC().Format(time.DateOnly), "isLiveDataset": false,
		"distribution": []object{{"@type": "cr:FileSet", "@id": files, "name": files, "description": "the files stay with the creator; studies of a Croft network ask them for totals",
			"encodingFormat": "text/csv", "includes": "*"}},
		"recordSet": []object{{"@type": "cr:RecordSet", "@id": "row", "name": "row", "field": fields}},
	}, "", "  ")
}
