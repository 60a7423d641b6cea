// Package apidoc checks the API's document as those do who generate clients from it:
// with the linters of Redocly and Spectral, of which no finding is accepted, and
// with the TypeScript example, whose types openapi-typescript makes, which has to
// compile in strict mode and to work against a server. It checks too that the page of /docs is
// the npm package's own. What it runs comes from npm, pinned in package-lock.json.
//
// Without Node and npm its tests are left out and say so; BELFRY_REQUIRE_STANDINS=1,
// as CI and make lint-api set it, makes them fail.
package apidoc
