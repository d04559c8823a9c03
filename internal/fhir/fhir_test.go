package fhir

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
)

const patient = `{"resourceType":"Patient","id":"p1","active":true,"birthDate":"1970-06-15","gender":"female","multipleBirthInteger":2,
	"name":[{"use":"official","family":"F1","given":["A","B"],"period":{"start":"2001-05","end":"2010-01-01T10:00:00+02:00"}},
		{"use":"usual","family":"F2","given":["C"]},{"family":"F3"}],
	"managingOrganization":{"reference":"https://a.example/fhir/Organization/o2/_history/3"},
	"generalPractitioner":[{"reference":"Practitioner/d-1"},{"reference":"#inside"},{"reference":"urn:uuid:53fefa32-fcbb-4ff8-8a92-55ee120877b7"},{"display":"x"}],
	"photo":[null,{"size":7,"creation":"2020-02-30"}],
	"text":{"div":"<div/>"},
	"contact":[{"at":"2010-01-01T01:00:00+02:00","on":["2010-01-01T10:00","2011-01-01"]},{"at":"2009-12-31T23:30:00Z","on":["2010-01-01T10:00Z","2011-01-02"]}],
	"contained":[{"resourceType":"Observation","id":"o1"},{"resourceType":"Group"}],
	"extension":[{"url":"u:a","valueDecimal":1.50},{"url":"u:b","valueQuantity":{"value":12e-1,"unit":"mg"}},
		{"url":"u:c","valueDateTime":"2010-10-10T23:00:00-01:00"},{"url":"u:d","valueAge":{"value":30}},{"url":"u:e","valueTime":"12:34:00.5"},
		{"url":"u:f","valueUuid":"urn:uuid:1"},{"url":"u:g","valueCode":"H"}]}`

// constants of each type.
const constants = `[{"name":"s","valueString":"official"},{"name":"n","valueInteger":1},{"name":"d","valueDecimal":1.5},{"name":"yes","valueBoolean":true},
	{"name":"day","valueDate":"1980-01-01"},{"name":"month","valueDate":"1970-06"},{"name":"at","valueDateTime":"2010-10-11T00:00:00Z"},
	{"name":"noon","valueTime":"12:00:00"},{"name":"code","valueCode":"female"},{"name":"id","valueId":"urn:uuid:1"}]`

// eval returns what a path finds in the patient, as JSON; more than one value or none as a list.
func eval(path string) (string, error) {
	quoted, _ := json.Marshal(path)
	v, err := Parse([]byte(`{"resource":"Patient","constant":` + constants + `,"select":[{"column":[{"name":"x","collection":true,"path":` + string(quoted) + `}]}]}`))
	if err != nil {
		return "", err
	}
	rows, err := v.Run([]byte(patient))
	if err != nil {
		return "", err
	}
	found := rows[0][0].([]any)
	if len(found) == 1 {
		text, err := json.Marshal(found[0])
		return string(text), err
	}
	text, err := json.Marshal(found)
	return string(text), err
}

func TestPaths(t *testing.T) {
	for path, want := range map[string]string{
		// Names, choices, indexes.
		"id":                           `"p1"`,
		"Patient.id":                   `"p1"`,
		"$this.id":                     `"p1"`,
		"name.family":                  `["F1","F2","F3"]`,
		"name.given":                   `["A","B","C"]`,
		"name.given[1]":                `"B"`,
		"name[1].given[0]":             `"C"`,
		"name[%n].family":              `"F2"`,
		"name[3].family":               `[]`,
		"name[3].exists()":             `false`,
		"name[-1].family":              `[]`,
		"name[nothing].family":         `[]`,
		"(name.given)[2]":              `"C"`,
		"name.first().given.first()":   `"A"`,
		"nothing.at.all":               `[]`,
		"id.nothing":                   `[]`,
		"text.`div`":                   `"\u003cdiv/\u003e"`,
		"photo.size":                   `7`,
		"multipleBirth":                `2`,
		"multipleBirth.ofType(string)": `[]`,

		// Types. A special case of a type is of that type; without a choice the form decides.
		"extension.value.ofType(decimal)":                   `1.50`,
		"extension.value.ofType(Quantity).value":            `[12e-1,30]`,
		"extension.value.ofType(Age).value":                 `30`,
		"extension.value.ofType(FHIR.uri)":                  `"urn:uuid:1"`,
		"extension.value.ofType(string)":                    `"H"`,
		"extension.value.ofType(System.String)":             `"H"`,
		"extension.value.ofType(Time)":                      `"12:34:00.5"`,
		"multipleBirth.ofType(integer)":                     `2`,
		"birthDate.ofType(date)":                            `"1970-06-15"`,
		"gender.ofType(date)":                               `[]`,
		"gender.ofType(code)":                               `"female"`,
		"gender.ofType(integer)":                            `[]`,
		"name.ofType(HumanName).family.first()":             `"F1"`,
		"name.ofType(string)":                               `[]`,
		"contained.ofType(Observation).id":                  `"o1"`,
		"extension('u:d').value.ofType(Age).value.first()":  `30`,
		"extension(%s)":                                     `[]`,
		"extension('u:a').value.ofType(decimal) = %d":       `true`,
		"photo.creation.ofType(date)":                       `[]`,
		"name.period.end.ofType(instant).exists()":          `true`,
		"extension('u:f').value.ofType(uuid) = %id":         `true`,
		"extension.where(url = 'u:g').value.ofType(id)":     `[]`,
		"contained.ofType(Quantity).exists()":               `false`,
		"extension('u:g').exists() and active.exists()":     `true`,
		"managingOrganization.ofType(Reference).exists()":   `true`,
		"managingOrganization.ofType(Observation).exists()": `false`,

		// where, exists, empty, not, join.
		"name.where(use = %s).family":                               `"F1"`,
		"name.where(use != 'official').family":                      `"F2"`,
		"name.where(given.exists()).use":                            `["official","usual"]`,
		"name.given.where($this != 'B')":                            `["A","C"]`,
		"name.where(true)[2].family":                                `"F3"`,
		"name.exists(given = 'C')":                                  `true`,
		"name.exists(given = 'D')":                                  `false`,
		"name.where(given.where($this = 'C').exists()).family":      `"F2"`,
		"photo.empty()":                                             `false`,
		"link.empty()":                                              `true`,
		"active.not()":                                              `false`,
		"link.not()":                                                `[]`,
		"gender.not()":                                              `false`,
		"name.given.join('-')":                                      `"A-B-C"`,
		"name.given.join()":                                         `"ABC"`,
		"link.join(',')":                                            `""`,
		"getResourceKey()":                                          `"Patient/p1"`,
		"contained.getResourceKey()":                                `"Observation/o1"`,
		"managingOrganization.getReferenceKey()":                    `"Organization/o2"`,
		"managingOrganization.getReferenceKey(Organization)":        `"Organization/o2"`,
		"managingOrganization.getReferenceKey(Patient)":             `[]`,
		"generalPractitioner.getReferenceKey()":                     `"Practitioner/d-1"`,
		"managingOrganization.getReferenceKey(Group) = 'x'":         `[]`,
		"getResourceKey() = generalPractitioner.getReferenceKey()":  `false`,
		"Patient.getResourceKey() = 'Patient/' + id":                `true`,
		"where(active).name.where(use = 'usual').given.exists()":    `true`,
		"name.where(use = 'official' and family = 'F1').given[0]":   `"A"`,
		"name.where((use = 'official').not()).family.join(' ')":     `"F2"`,
		"name.where(use.empty() or use = 'usual').family.join(' ')": `"F2 F3"`,

		// Literals.
		`'it\'s \u00e9\\\n'`: `"it's é\\\n"`,
		"'é'":                `"é"`,
		"12.50":              `12.50`,
		"-3":                 `-3`,
		"+1":                 `1`,
		"true":               `true`,
		"%rowIndex":          `0`,
		"%'s'":               `"official"`,
		"%`s`":               `"official"`,

		// Arithmetic is exact.
		"0.1 + 0.2":                      `0.3`,
		"1.10 - 0.1":                     `1`,
		"1 + 2 * 3":                      `7`,
		"(1 + 2) * 3":                    `9`,
		"7 - 2 - 1":                      `4`,
		"8 / 2 / 2":                      `2`,
		"3 / 2":                          `1.5`,
		"1 / 3":                          `0.3333333333333333333333333333`,
		"1 / 0":                          `[]`,
		"-2 * -2":                        `4`,
		"nothing + 1":                    `[]`,
		"-multipleBirth.ofType(integer)": `-2`,
		"'a' + 'b'":                      `"ab"`,
		"extension('u:a').value.ofType(decimal) * 2":                   `3`,
		"extension('u:b').value.ofType(Quantity).value + 0.05":         `1.25`,
		"9007199254740993 + 1":                                         `9007199254740994`,
		"123456789012345678901234567890 * 10":                          `1234567890123456789012345678900`,
		"extension('u:a').value.ofType(decimal).lowBoundary()":         `1.495`,
		"extension('u:a').value.ofType(decimal).highBoundary()":        `1.505`,
		"1.lowBoundary()":                                              `0.5`,
		"(-1.587).lowBoundary()":                                       `-1.5875`,
		"extension('u:b').value.ofType(Quantity).value.highBoundary()": `1.25`,
		"birthDate.lowBoundary()":                                      `"1970-06-15"`,
		"name.period.start.highBoundary()":                             `"2001-05-31"`,
		"%month.lowBoundary()":                                         `"1970-06-01"`,
		"%at.highBoundary()":                                           `"2010-10-11T00:00:00.999+00:00"`,
		"%noon.highBoundary()":                                         `"12:00:00.999"`,
		"extension('u:e').value.ofType(time).highBoundary()":           `"12:34:00.599"`,
		"extension('u:c').value.ofType(dateTime).lowBoundary()":        `"2010-10-10T23:00:00.000-01:00"`,
		"name.period.end.lowBoundary()":                                `"2010-01-01T10:00:00.000+02:00"`,
		"nothing.lowBoundary()":                                        `[]`,

		// Comparisons: = is exact, dates as precise as they are.
		"1 = 1.0":                     `true`,
		"1 = '1'":                     `false`,
		"1 != 2":                      `true`,
		"nothing = 1":                 `[]`,
		"nothing != 1":                `[]`,
		"name.given = name.given":     `true`,
		"name.given = name.family":    `false`,
		"name.given = name[0].given":  `false`,
		"name[0] = name[0]":           `true`,
		"name[0] = name[1]":           `false`,
		"extension[0] = extension[1]": `false`,
		"active = true":               `true`,
		"active = 'true'":             `false`,
		"%yes":                        `true`,
		"2 > 1.5":                     `true`,
		"2 < 1.5":                     `false`,
		"1.0 <= 1":                    `true`,
		"1 >= 1.01":                   `false`,
		"'a' < 'b'":                   `true`,
		"gender = %code":              `true`,
		"birthDate < %day":            `true`,
		"birthDate > %day":            `false`,
		"birthDate = %month":          `[]`,
		"birthDate > %month":          `[]`,
		"birthDate != %day":           `true`,
		"birthDate = '1970-06-15'":    `true`,
		"name[0].period.start < name[0].period.end":           `true`,
		"extension('u:c').value.ofType(dateTime) = %at":       `true`,
		"extension('u:c').value.ofType(dateTime) >= %at":      `true`,
		"extension('u:c').value.ofType(dateTime) > birthDate": `true`,
		"contact[0].at < contact[1].at":                       `true`,
		"contact[0].on.first() = contact[1].on.first()":       `[]`,
		"contact[0].on = contact[1].on":                       `false`,
		"contact[0].on.first() < contact[1].on.first()":       `[]`,
		"extension('u:e').value.ofType(time) > %noon":         `true`,
		"extension('u:e').value.ofType(time) = birthDate":     `false`,
		"1 = 1 = true":            `true`,
		"1 + 1 = 2 and 2 * 2 > 3": `true`,
		"true or nothing":         `true`,
		"nothing or true":         `true`,
		"false or nothing":        `[]`,
		"false and nothing":       `false`,
		"nothing and false":       `false`,
		"true and nothing":        `[]`,
		"true or false and false": `true`,
		"false or true and false": `false`,
		"gender and active":       `true`,
	} {
		got, err := eval(path)
		if err != nil || got != want {
			t.Errorf("%s = %s %v, expected %s", path, got, err, want)
		}
	}
}

// What a path may not be is said when the view is read, with the place.
func TestBadPaths(t *testing.T) {
	for path, says := range map[string]string{
		"":                     "select[0].column[0].path: it must be a path that is not empty",
		"@@":                   `column 1: "@" is not part of the shareable profile`,
		"birthDate > @1980":    `column 13: "@" is not part`,
		"name.":                "column 6: a name is missing",
		"name.given.":          "column 12: a name is missing",
		"name given":           `column 6: "given" cannot stand here`,
		"name.count()":         "column 6: the function count() is not part of the shareable profile",
		"where()":              "column 1: where() needs an argument",
		"ofType()":             "ofType() needs an argument",
		"first(1)":             "first() takes no argument",
		"getResourceKey(x)":    "takes no argument",
		"lowBoundary(2)":       "takes no argument",
		"exists(a, b)":         `column 9: ) is missing`,
		"value.ofType(sting)":  `column 14: there is no type "sting"`,
		"value.ofType('date')": "column 14: the name of a type is missing",
		"value.ofType(1)":      "the name of a type is missing",
		"%nobody":              `column 2: there is no constant "nobody"`,
		"%":                    "column 2: a constant's name is missing",
		"$index":               "only $this",
		"name | name":          `column 6: "|" is not part`,
		"name is HumanName":    `column 6: "is" cannot stand here`,
		"7 div 2":              `column 3: "div" cannot stand here`,
		"a implies b":          `column 3: "implies" cannot stand here`,
		"and":                  `column 1: "and" cannot stand here`,
		"a and":                "column 6: the path ends too early",
		"(a":                   "column 3: ) is missing",
		"a)":                   `column 2: ")" cannot stand here`,
		"a[1":                  "] is missing",
		"'a":                   "column 1: the quote is not closed",
		`'a\`:                  "the quote is not closed",
		`'a\x'`:                `\x is no escape`,
		`'\u12'`:               "four hexadecimal digits",
		`'\ud83d'`:             "four hexadecimal digits",
		"``":                   "column 1: a name is missing",
		"007":                  `"007" begins with a 0`,
		"1.":                   "column 3: a name is missing",
		"5 'mg'":               `"mg" cannot stand here`,
		"é":                    `column 1: "é" is not part`,
		"Observation.id":       `the view reads Patient, not "Observation"`,
		"--1":                  `column 2: "-" cannot stand here`,
		"{}":                   `"{" is not part`,
		strings.Repeat("(", 70) + "1" + strings.Repeat(")", 70): "nests more than 64 deep",
		strings.Repeat("a.", 2100) + "a":                        "longer than 4096 bytes",
	} {
		if got, err := eval(path); err == nil || !strings.Contains(err.Error(), says) || !strings.HasPrefix(err.Error(), "select[0].column[0].path: ") {
			t.Errorf("%s: got %s, %v, expected an error with %q", path, got, err, says)
		}
	}
	if _, err := eval(strings.Repeat("a.", 2047) + "a"); err != nil { // as long as it may be
		t.Error(err)
	}
}

// What cannot be computed stops the run and names the column.
func TestBadValues(t *testing.T) {
	for path, says := range map[string]string{
		"name.where(use)":                    "a condition must be true or false",
		"name.exists(given)":                 "a condition must be true or false",
		"name.given and true":                "and is given 3 values",
		"name.given.not()":                   "not() is given 3 values",
		"name.given > 'A'":                   "> is given 3 values",
		"name.given + 'A'":                   "+ is given 3 values",
		"-name.given":                        "- is given 3 values",
		"-id":                                "a text is not a number",
		"+id":                                "a text is not a number",
		"'a' + 1":                            "a value of type string is not a number",
		"'a' * 'b'":                          "not a number",
		"1 < 'a'":                            "a value of type integer and a value of type string have no order",
		"true < false":                       "have no order",
		"name[0] > name[1]":                  "a compound value and a compound value have no order",
		"%day > '1970'":                      "a constant with valueDate",
		"name['a']":                          "an index must be one whole number",
		"name[1.5]":                          "an index must be one whole number",
		"name[name.given]":                   "an index must be one whole number",
		"name.join()":                        "join() is given a compound value",
		"name.given.join(1)":                 "the argument must be one text",
		"name.given.join(name.given)":        "the argument must be one text",
		"name.given.lowBoundary()":           "a boundary is given 3 values",
		"gender.lowBoundary()":               "a text has no boundary",
		"active.lowBoundary()":               "a boolean has no boundary",
		"%code.highBoundary()":               "a value of type code has no boundary",
		"name":                               "the value is not a simple one",
		"name.where(Patient.active)":         "Patient stands where a compound value is at hand",
		"1" + strings.Repeat("0", 64) + "+1": "too long to compute with",
		"9" + strings.Repeat(" * 99999999999", 10): "too many digits",
	} {
		if got, err := eval(path); err == nil || !strings.Contains(err.Error(), says) || !strings.HasPrefix(err.Error(), "column x: ") {
			t.Errorf("%s: got %s, %v, expected an error with %q", path, got, err, says)
		}
	}
}

func TestBadViews(t *testing.T) {
	const column = `{"name":"a","path":"id"}`
	for view, says := range map[string]string{
		``:                          "the JSON ends too early",
		`{"resource":"Patient"`:     "the JSON ends too early",
		`[]`:                        "it must be a JSON object",
		`{"resource":"Patient"} {}`: "something follows",
		"{\"resource\":\"\xff\"}":   "not UTF-8",
		`{"resource":"patient","select":[{"column":[` + column + `]}]}`:                          "resource: it must name a type",
		`{"resource":7,"select":[{"column":[` + column + `]}]}`:                                  "resource: it must be a text",
		`{"resource":"Patient","resource":"Group","select":[{"column":[` + column + `]}]}`:       `the field "resource" comes twice`,
		`{"resourceType":"Patient","resource":"Patient","select":[{"column":[` + column + `]}]}`: `resourceType: "Patient" is not ViewDefinition`,
		`{"resource":"Patient"}`:                                                                                                                                 "select: the view has no columns",
		`{"resource":"Patient","select":[]}`:                                                                                                                     "select: it must be a list that is not empty",
		`{"resource":"Patient","select":{"column":[]}}`:                                                                                                          "select: it must be a list",
		`{"resource":"Patient","select":[{"forEach":"name"}]}`:                                                                                                   "the view has no columns",
		`{"resource":"Patient","Where":[],"select":[{"column":[` + column + `]}]}`:                                                                               `unknown field "Where"`,
		`{"resource":"Patient","modifierExtension":[],"select":[{"column":[` + column + `]}]}`:                                                                   `unknown field "modifierExtension"`,
		`{"resource":"Patient","where":[{"paths":"active"}],"select":[{"column":[` + column + `]}]}`:                                                             `where[0]: unknown field "paths"`,
		`{"resource":"Patient","where":[{}],"select":[{"column":[` + column + `]}]}`:                                                                             "where[0].path: it must be a path",
		`{"resource":"Patient","select":[{"columns":[` + column + `]}]}`:                                                                                         `select[0]: unknown field "columns"`,
		`{"resource":"Patient","select":[{"select":[{"column":[{"name":"a"}]}]}]}`:                                                                               "select[0].select[0].column[0].path: it must be a path",
		`{"resource":"Patient","select":[{"column":[{"name":"a b","path":"id"}]}]}`:                                                                              "select[0].column[0].name: it must be letters",
		`{"resource":"Patient","select":[{"column":[{"path":"id"}]}]}`:                                                                                           "select[0].column[0].name",
		`{"resource":"Patient","select":[{"column":[` + column + `,` + column + `]}]}`:                                                                           "two columns are called a",
		`{"resource":"Patient","select":[{"column":[` + column + `]},{"forEach":"name","column":[` + column + `]}]}`:                                             "two columns are called a",
		`{"resource":"Patient","select":[{"column":[{"name":"a","path":"id","collection":"no"}]}]}`:                                                              "collection: it must be true or false",
		`{"resource":"Patient","select":[{"forEach":"name","forEachOrNull":"name","column":[` + column + `]}]}`:                                                  "one of forEach and forEachOrNull, not both",
		`{"resource":"Patient","select":[{"repeat":"item","column":[` + column + `]}]}`:                                                                          "repeat: it must be a list",
		`{"resource":"Patient","select":[{"repeat":["item",7],"column":[` + column + `]}]}`:                                                                      "select[0].repeat[1].path: it must be a text",
		`{"resource":"Patient","select":[{"unionAll":[{"column":[` + column + `]},{"column":[{"name":"b","path":"id"}]}]}]}`:                                     "select[0].unionAll[1]: its columns differ",
		`{"resource":"Patient","select":[{"unionAll":[{"column":[{"name":"a","path":"id","type":"id"}]},{"column":[{"name":"a","path":"id","type":"code"}]}]}]}`: "its columns differ",
		`{"resource":"Patient","constant":[{"name":"c"}],"select":[{"column":[` + column + `]}]}`:                                                                "constant[0]: the constant c has 0 values",
		`{"resource":"Patient","constant":[{"name":"c","valueString":"a","valueCode":"a"}],"select":[{"column":[` + column + `]}]}`:                              "has 2 values",
		`{"resource":"Patient","constant":[{"name":"c","valueQuantity":{}}],"select":[{"column":[` + column + `]}]}`:                                             `unknown field "valueQuantity"`,
		`{"resource":"Patient","constant":[{"name":"c","valueInteger":1.5}],"select":[{"column":[` + column + `]}]}`:                                             `valueInteger: "1.5" is not of that type`,
		`{"resource":"Patient","constant":[{"name":"c","valueDate":"1980-13"}],"select":[{"column":[` + column + `]}]}`:                                          "is not of that type",
		`{"resource":"Patient","constant":[{"name":"c","valueDate":"1980-01-01T00:00:00Z"}],"select":[{"column":[` + column + `]}]}`:                             "is not of that type",
		`{"resource":"Patient","constant":[{"name":"rowIndex","valueInteger":1}],"select":[{"column":[` + column + `]}]}`:                                        "not rowIndex",
		`{"resource":"Patient","constant":[{"name":"c","valueInteger":1},{"name":"c","valueInteger":1}],"select":[{"column":[` + column + `]}]}`:                 "a second constant is called c",
		`{"resource":"Patient","a":` + strings.Repeat("[", 70) + strings.Repeat("]", 70) + `}`:                                                                   "nests more than 64 deep",
		strings.Repeat(" ", MaxView+1): "longer than 262144 bytes",
	} {
		if _, err := Parse([]byte(view)); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%.200s: got %v, expected an error with %q", view, err, says)
		}
	}
}

func TestBadResources(t *testing.T) {
	v := mustParse(t, `{"resource":"Patient","where":[{"path":"active.not()"}],"select":[{"column":[{"name":"a","path":"id"}]}]}`)
	for resource, says := range map[string]string{
		``:                                    "ends too early",
		`{"resourceType":"Patient"`:           "ends too early",
		`7`:                                   "it is not a JSON object",
		`null`:                                "it is not a JSON object",
		`{"id":"a"}`:                          "it has no resourceType",
		`{"resourceType":["Patient"]}`:        "it has no resourceType",
		`{"resourceType":"Patient"}{}`:        "something follows",
		`{"resourceType":"Patient","a":[1,]}`: "it is not JSON: byte 34 is ']'",
		`{"resourceType":"Patient","id":"1","id":"2"}`:              `"id" comes twice`,
		`{"resourceType":"Patient",}`:                               "it is not JSON: byte 27 is '}'",
		`{"resourceType":"Patient" "a":1}`:                          `it is not JSON: byte 27 is '"'`,
		`{"resourceType"="Patient"}`:                                "it is not JSON: byte 16 is '='",
		`{"resourceType":patient}`:                                  "it is not JSON: byte 17 is 'p'",
		`{'resourceType':1}`:                                        `it is not JSON: byte 2 is '\''`,
		`{"resourceType":"\x"}`:                                     "a text has a wrong escape",
		`{"resourceType":"Patient`:                                  "ends too early",
		`{"a":01}`:                                                  `"01" is not a number`,
		"{\"a\":\"\n\"}":                                            "it is not JSON: byte 7 is",
		"{\"resourceType\":\"Patient\",\"id\":\"\xe4\"}":            "not UTF-8",
		`{"resourceType":"Patient","a":` + strings.Repeat("[", 100): "nests more than 64 deep",
		`{"resourceType":"Patient","active":[true,false]}`:          "where[0]: not() is given 2 values",
		`{"resourceType":"Patient","active":false,"id":["1","2"]}`:  "column a: 2 values where there may be one",
		`{"resourceType":"Patient","active":false,"id":{"a":1}}`:    "column a: the value is not a simple one",
		strings.Repeat(" ", MaxResource+1):                          "longer than 4194304 bytes",
	} {
		if rows, err := v.Run([]byte(resource)); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%.100s: got %v, %v, expected an error with %q", resource, rows, err, says)
		}
	}
	if rows, err := v.Run([]byte(`{"resourceType":"Group","active":[true,false]}`)); rows != nil || err != nil {
		t.Errorf("another type: %v, %v", rows, err)
	}
	v = mustParse(t, `{"resource":"Patient","where":[{"path":"id"}],"select":[{"column":[{"name":"a","path":"id"}]}]}`)
	if _, err := v.Run([]byte(patient)); err == nil || !strings.Contains(err.Error(), "where[0]: a condition must be true or false") {
		t.Error(err)
	}
}

// Conditions choose among resources: all must hold, and not known is not enough.
func TestConditions(t *testing.T) {
	for conditions, want := range map[string]string{
		`{"path":"active"}`:                                 `["p1"]`,
		`{"path":"active.not()"}`:                           ``,
		`{"path":"nothing"}`:                                ``,
		`{"path":"nothing = 1"}`:                            ``,
		`{"path":"active"},{"path":"gender = 'female'"}`:    `["p1"]`,
		`{"path":"active"},{"path":"gender = 'male'"}`:      ``,
		`{"path":"gender = 'male'"},{"path":"active"}`:      ``,
		`{"path":"birthDate > %month","description":"why"}`: ``,
	} {
		view := `{"resource":"Patient","constant":` + constants + `,"where":[` + conditions + `],"select":[{"column":[{"name":"id","path":"id"}]}]}`
		if got := rows(t, view, patient); got != want {
			t.Errorf("%s: %s, expected %s", conditions, got, want)
		}
	}
}

func TestFunctionsAreDocumented(t *testing.T) {
	page, err := os.ReadFile("../../docs/ref/fhir.md")
	if err != nil {
		t.Fatal(err)
	}
	for name := range functions {
		if !strings.Contains(string(page), "`"+name+"(") {
			t.Errorf("docs/ref/fhir.md does not mention %s()", name)
		}
	}
}

func mustParse(t *testing.T, view string) *View {
	t.Helper()
	v, err := Parse([]byte(view))
	if err != nil {
		t.Fatalf("%s: %v", view, err)
	}
	return v
}

// rows runs a view on a resource and writes each row as a JSON list.
func rows(t *testing.T, view, resource string) string {
	t.Helper()
	found, err := mustParse(t, view).Run([]byte(resource))
	if err != nil {
		t.Fatalf("%s: %v", view, err)
	}
	var out []string
	for _, row := range found {
		text, _ := json.Marshal(row)
		out = append(out, string(text))
	}
	return strings.Join(out, " ")
}

const answers = `{"resourceType":"QuestionnaireResponse","id":"q","item":[
	{"linkId":"1","item":[{"linkId":"1.1","answer":[{"valueInteger":3,"item":[{"linkId":"1.1.1"}]}]},{"linkId":"1.2","item":[{"linkId":"1.2.1"}]}]},
	{"linkId":"2"}]}`

func TestSelections(t *testing.T) {
	view := func(selects string) string { return `{"resource":"QuestionnaireResponse","select":[` + selects + `]}` }
	const (
		i  = `"column":[{"name":"i","path":"%rowIndex"},{"name":"link","path":"linkId"}]`
		id = `{"column":[{"name":"id","path":"id"}]}`
	)
	for name, c := range map[string]struct{ view, want string }{
		"repeat goes down before it goes on": {view(`{"repeat":["item","answer.item"],` + i + `}`),
			`[0,"1"] [1,"1.1"] [2,"1.1.1"] [3,"1.2"] [4,"1.2.1"] [5,"2"]`},
		"repeat of one path": {view(`{"repeat":["item"],` + i + `}`), `[0,"1"] [1,"1.1"] [2,"1.2"] [3,"1.2.1"] [4,"2"]`},
		"repeat of nothing":  {view(id + `,{"repeat":["jurisdiction"],` + i + `}`), ``},
		"repeat and forEach": {view(`{"repeat":["item"],"column":[{"name":"link","path":"linkId"}],"select":[{"forEach":"answer","column":[{"name":"a","path":"value.ofType(integer)"}]}]}`),
			`["1.1",3]`},
		"an index in forEach":         {view(id + `,{"forEach":"item",` + i + `}`), `["q",0,"1"] ["q",1,"2"]`},
		"an index without":            {view(`{` + i + `}`), `[0,null]`},
		"an index in forEachOrNull":   {view(`{"forEachOrNull":"items",` + i + `}`), `[0,null]`},
		"no values in forEachOrNull":  {view(`{"forEachOrNull":"items","column":[{"name":"a","path":"'A'"},{"name":"b","path":"x.exists()"}],"select":[{"forEach":"x","column":[{"name":"c","path":"y"}]}]}`), `[null,null,null]`},
		"an index of its own in each": {view(`{"forEach":"item","column":[{"name":"j","path":"%rowIndex"}],"select":[{"forEachOrNull":"item",` + i + `}]}`), `[0,0,"1.1"] [0,1,"1.2"] [1,0,null]`},
		"an index in a union": {view(`{"forEach":"item","unionAll":[{"forEach":"item",` + i + `},{` + i + `}]}`),
			`[0,"1.1"] [1,"1.2"] [0,"1"] [1,"2"]`},
		"the index in where is the row's":    {view(`{"forEach":"item","column":[{"name":"n","path":"item.where(%rowIndex = 0).linkId.join(' ')"}]}`), `["1.1 1.2"] [""]`},
		"each with each":                     {view(`{"forEach":"item","column":[{"name":"a","path":"linkId"}]},{"forEach":"item","column":[{"name":"b","path":"linkId"}]}`), `["1","1"] ["1","2"] ["2","1"] ["2","2"]`},
		"columns, then selects, then union":  {view(`{"unionAll":[{"column":[{"name":"c","path":"'c'"}]},{"column":[{"name":"c","path":"'d'"}]}],"select":[{"column":[{"name":"b","path":"'b'"}]}],"column":[{"name":"a","path":"'a'"}]}`), `["a","b","c"] ["a","b","d"]`},
		"a union of selections of their own": {view(`{"unionAll":[{"select":[{"column":[{"name":"a","path":"1"}]},{"column":[{"name":"b","path":"2"}]}]},{"column":[{"name":"a","path":"3"},{"name":"b","path":"4"}]}]}`), `[1,2] [3,4]`},
		"an empty collection":                {view(`{"column":[{"name":"a","path":"nothing","collection":true}]}`), `[[]]`},
	} {
		if got := rows(t, c.view, answers); got != c.want {
			t.Errorf("%s: got  %s\nwant %s", name, got, c.want)
		}
	}
}

// A view that would make too much of one resource is stopped.
func TestCostIsBounded(t *testing.T) {
	many := `{"resourceType":"Patient","name":[` + strings.TrimSuffix(strings.Repeat(`{"given":["a","b"]},`, 2000), ",") + `]}`
	each := func(column string) string {
		return `{"forEach":"name","column":[{"name":"` + column + `","path":"given[0]"}]}`
	}
	for name, c := range map[string]struct{ selects, says string }{
		"rows of rows":   {each("a") + "," + each("b"), "more than 1048576 cells"},
		"a wide union":   {`{"unionAll":[` + strings.TrimSuffix(strings.Repeat(`{"forEach":"name.given","column":[{"name":"a","path":"$this"}]},`, 300), ",") + `]}`, "cells"},
		"for ever":       {`{"repeat":["$this"],"column":[{"name":"a","path":"1"}]}`, "repeat: it goes more than 64 deep"},
		"twice for ever": {`{"repeat":["$this","$this"],"column":[{"name":"a","path":"1"}]}`, "more than 64 deep"},
		"a long look":    {`{"column":[` + strings.TrimSuffix(strings.Repeat(`{"name":"NAME","path":"name.given.join() + name.given.join()"},`, 900), ",") + `]}`, "takes too long"},
	} {
		for n := 0; strings.Contains(c.selects, "NAME"); n++ {
			c.selects = strings.Replace(c.selects, "NAME", fmt.Sprint("n", n), 1)
		}
		v := mustParse(t, `{"resource":"Patient","select":[`+c.selects+`]}`)
		if rows, err := v.Run([]byte(many)); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %d rows, %v", name, len(rows), err)
		}
	}
}
