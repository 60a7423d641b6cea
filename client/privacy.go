package client

import (
	"context"
	"io"
	"iter"
	"net/url"
)

const privacyRequests = "/v1/privacy-requests"

// CreatePrivacyRequest asks for a person's data to be exported or erased. When it returns from an
// erasure, nothing more that was accepted before is sent to them, from 5 s on; [Client.PrivacyRequest]
// says when everything is removed.
func (c *Client) CreatePrivacyRequest(ctx context.Context, order PrivacyOrder) (PrivacyRequest, error) {
	var r PrivacyRequest
	cl, err := post(privacyRequests, order)
	if err != nil {
		return r, err
	}
	err = c.do(ctx, cl, &r)
	return r, err
}

// PrivacyRequest returns how a privacy request stands, with its receipt once it is done.
func (c *Client) PrivacyRequest(ctx context.Context, id string) (PrivacyRequest, error) {
	var r PrivacyRequest
	err := c.do(ctx, get(privacyRequests+"/"+url.PathEscape(id), nil), &r)
	return r, err
}

// PrivacyRequests returns all privacy requests, oldest first. An error is the last pair.
func (c *Client) PrivacyRequests(ctx context.Context) iter.Seq2[PrivacyRequest, error] {
	return pages(ctx, func(ctx context.Context, cursor string) ([]PrivacyRequest, string, error) {
		return list[PrivacyRequest](ctx, c, privacyRequests, limited(url.Values{}, largestPage), cursor)
	})
}

// PrivacyExport streams what is kept of the person of an export. The last row is the receipt: an
// export without it was cut off.
func (c *Client) PrivacyExport(ctx context.Context, id string) iter.Seq2[PrivacyRow, error] {
	return lines[PrivacyRow](func() (io.ReadCloser, error) {
		cl := get(privacyRequests+"/"+url.PathEscape(id)+"/export", nil)
		cl.accept, cl.timeout = typeNDJSON, 0
		return c.open(ctx, cl)
	})
}
