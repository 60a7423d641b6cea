package door

import (
	"net/http"
	"slices"
)

// Advice is what a kind of problem is and what to do about it, as
// /problems/<code> tells.
type Advice struct {
	Code    Code
	Status  int    // of HTTP
	Title   string // as every problem of the kind has it
	Meaning string // when it is answered, and what was done until then
	Remedy  string // what whoever gets it should do
	// Retry: the same request may succeed later, unchanged.
	Retry bool
}

// Advices lists every kind of problem that is ever answered, by status.
func Advices() []Advice {
	all := codes()
	out := make([]Advice, len(all))
	for i, c := range all {
		out[i] = c.advice()
	}
	return out
}

// TypeOf is the type of a problem (RFC 9457 §3.1.1), relative to the server: where
// it is explained.
func TypeOf(c Code) string { return "/problems/" + string(c) }

func (c Code) advice() Advice {
	status, title := c.facts()
	t := textOf(c)
	return Advice{Code: c, Status: status, Title: title, Meaning: t.meaning, Remedy: t.remedy, Retry: c.passes(status)}
}

// passes reports whether the same request may succeed a little later.
func (c Code) passes(status int) bool {
	return slices.Contains([]Code{CodeConflict, CodeInProgress, CodeSlow, CodeIncomplete}, c) ||
		status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable
}

// text is the meaning and the remedy of a kind.
type text struct{ meaning, remedy string }

func textOf(c Code) text {
	for _, texts := range []map[Code]text{bodyTexts(), stateTexts(), serverTexts()} {
		if t, ok := texts[c]; ok {
			return t
		}
	}
	return text{}
}

// bodyTexts are about what a request brings with it.
func bodyTexts() map[Code]text {
	return map[Code]text{
		CodeMalformed: {
			"The body is not JSON (RFC 8259), not UTF-8, has a name twice, or cannot be decompressed. Nothing was done.",
			"Look at errors: each names the place by a JSON pointer or a byte. Write the body with a JSON library rather than by hand.",
		},
		CodeIncomplete: {
			"The connection broke, or the body ended before its Content-Length. Of an upload, the lines that had come are kept; of anything " +
				"else, nothing was done.",
			"Send the request again. An upload goes on from the line behind received of GET /v1/batches/{id}, with offset.",
		},
		CodeSlow: {
			"Nothing of the body came for 30 seconds. Of an upload, the lines that had come are kept.",
			"Send the request again. An upload goes on from the line behind received of GET /v1/batches/{id}, with offset.",
		},
		CodeTooLarge: {
			"The body has more bytes than the path takes, or grows beyond reason when it is decompressed. Nothing was done.",
			"Send less at once. For more than 1,000 recipients create a batch: its upload has no limit.",
		},
		CodeMediaType: {
			"The Content-Type or Content-Encoding of the body is none that the path takes, or is missing. Nothing was done.",
			"Set Content-Type as the API document says of the path, such as application/json; Accept-Encoding of the answer has the codings.",
		},
		CodeInvalid: {
			"The request can be read, and something in it is not allowed: an unknown name, a wrong type, a value out of range, fields that " +
				"exclude each other, or a message that FCM would refuse. Nothing was done.",
			"Correct what errors lists: pointer is the place (a JSON pointer, or ?name of a query parameter), detail says what is allowed. " +
				"validate_only checks without sending.",
		},
		CodeCursor: {
			"The cursor was not given by this list, or was given with other parameters.",
			"Give next_cursor of the page before, unchanged and with the same parameters; or leave it out and begin anew.",
		},
		CodeKeyInvalid: {
			"The Idempotency-Key is empty, longer than 255 characters, not printable ASCII, or given twice. Nothing was done.",
			"Give each request that is to happen once a key of its own, such as a UUID, and repeat it only when that request is repeated.",
		},
		CodeKeyReused: {
			"The Idempotency-Key came with another request within the last 72 hours. Nothing was done now; the first request stands.",
			"Take a new key for a new request. If it was meant as a repeat, send the very same path, query and body.",
		},
		CodeRefused: {
			"The upload was made with all_or_nothing, and one of its lines is bad. Not one of its lines was kept.",
			"Correct the lines that errors lists and upload all of them again; or leave out all_or_nothing to keep the good ones.",
		},
		CodeArchive: {
			"The import is no archive of dead letters, or has lost its end: the last line counts the letters before it.",
			"Export again, wait for the end, and import the file as it is. Letters that were stored already are not stored twice.",
		},
	}
}

// stateTexts are about what is there, and how it stands.
func stateTexts() map[Code]text {
	return map[Code]text{
		CodeNotFound: {
			"There is nothing with this id, it was removed because it is past its retention, or it belongs to another tenant, which looks the same.",
			"Check the id (ntf_, bat_, dlt_, sim_ or rpl_ and a UUID) and whose key is used. Lists show what there is, and " +
				"docs/operating.md how long it is kept.",
		},
		CodeNoRoute: {
			"No operation has this path. Often an id in it is empty, or it ends in a slash too many.",
			"Compare with the API document: GET /openapi.json, or /docs in a browser.",
		},
		CodeMethod: {
			"The path exists, but not with this method.",
			"Use one of the methods that the Allow header lists.",
		},
		CodeState: {
			"What was asked is not possible as things stand: a cancelled batch cannot be started, for example. Nothing was changed.",
			"Read detail, which says what is possible now, and GET the resource to see how it stands.",
		},
		CodeConflict: {
			"Somebody else changed the same thing at the same moment, and won. Nothing was changed by this request.",
			"Send it again after Retry-After.",
		},
		CodeTaken: {
			"A tenant, an app or a role has this name, or had it before it was deleted. Nothing was changed.",
			"Take another name. To change what is there, PATCH it.",
		},
		CodeGap: {
			"The upload's offset is beyond the line that should come next: lines in between would be lost. Nothing was kept.",
			"Go on from the line behind received of GET /v1/batches/{id}.",
		},
		CodeInProgress: {
			"A request with this Idempotency-Key is being served right now, or its server died a moment ago.",
			"Send it again after Retry-After, with the same key: it then gets the first one's answer.",
		},
		CodeNothing: {
			"No dead letter that can be replayed or discarded matches the filter.",
			"List with the same filter to see what there is; only parked letters can be replayed or discarded.",
		},
		CodeUnbounded: {
			"The filter is empty: it would take every dead letter there is. Nothing was done.",
			"Narrow the filter, by fingerprint or code for example; or say \"all\": true if all of them are meant.",
		},
		CodeStale: {
			"More letters match now than the caller was shown, or the simulation is older than an hour. Nothing was done.",
			"Look again (list, or simulate anew), then repeat with the new number or id.",
		},
	}
}

// serverTexts are about who asks, and how the server is.
func serverTexts() map[Code]text {
	return map[Code]text{
		CodeUnauthenticated: {
			"The request has no API key, or one that the server does not take: unknown, mistyped, expired, revoked, of a deleted tenant, or from " +
				"a network that it is not for. detail says which.",
			"Send Authorization: Bearer <key>, with a key of POST /v1/api-keys (belfry key create) or the server's own (BELFRY_API_KEY).",
		},
		CodeForbidden: {
			"The key is good, but its role and scopes do not allow this, it is limited to another app, or this is the platform operator's alone.",
			"Use a key whose role and scopes allow it: detail names the permission, and docs/permissions.md has them all.",
		},
		CodeApproval: {
			"The tenant's settings ask for a second person before so much is done, or the approval that was given does not fit.",
			"Have somebody else approve what detail names (belfry approval approve apr_…), and repeat the request with it.",
		},
		CodeOrigin: {
			"A web page of another origin sent the request. Browsers say so, and such pages are kept out.",
			"Send it from a program, or name the page's host in BELFRY_ALLOWED_HOSTS.",
		},
		CodeHost: {
			"The Host header names another server than this one: a page may have pointed a name of its own here.",
			"Use the address that the server listens on, or name the host in BELFRY_ALLOWED_HOSTS.",
		},
		CodeThrottled: {
			"A store or queue behind the server takes less than is asked of it. Nothing was done.",
			"Send it again after Retry-After, and less at a time. If it lasts, raise the capacity of the table or queue.",
		},
		CodeQuota: {
			"A quota of the tenant, the app or the key is used up: quota names it, limit says how much it is. Nothing was done, but for " +
				"the lines of an upload that detail speaks of.",
			"Send it again after Retry-After; RateLimit of every answer says what is left. If it lasts, ask less often, or have the platform's " +
				"operator raise the setting of that name. Without Retry-After it never fits: ask for less at a time.",
		},
		CodeUnavailable: {
			"A store or queue behind the server does not answer, is full, or the server is shutting down or has too many connections. " +
				"With an Idempotency-Key or an offset, a repeat does nothing twice.",
			"Send it again after Retry-After. GET /readyz names what is wrong, and since when.",
		},
		CodeInternal: {
			"The server failed in a way that it was not made for; what was done is not certain.",
			"Give the operator the request_id: the server's log has the cause under it. A repeat with the same Idempotency-Key does nothing twice.",
		},
	}
}
