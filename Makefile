.PHONY: help demo test long check build fuzz
help:   ## this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/'
demo:   ## a community's first study, on this machine
	go run ./cmd/croft demo
test:   ## what everybody runs
	go test ./...
long:   ## kill loops, mutation runs, deep models
	go test -tags long -timeout 30m ./...
check:  ## exactly what CI runs
	.ci/run
build:  ## the binary, stripped
	CGO_ENABLED=0 go build -trimpath -ldflags '-s -w' -o croft ./cmd/croft
fuzz:   ## 15 seconds for each decoder of untrusted bytes
	@grep -rlE 'func Fuzz' --include='*_test.go' . | while read -r f; do \
	  grep -oE 'func Fuzz[A-Za-z]*' "$$f" | while read -r _ name; do \
	    echo "$$f $$name"; go test "$$(dirname "$$f")" -run '^$$' -fuzz "^$$name$$" -fuzztime 15s || exit 1; done; done
