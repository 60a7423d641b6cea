# The stand-ins for AWS of test/standins, for compose.yaml: not for anything but trying. Its context is the clone.
FROM golang:1.26 AS build
WORKDIR /src
COPY . .
RUN CGO_ENABLED=0 go build -o /aws-local ./test/standins/cmd/aws-local

FROM node:22-slim
WORKDIR /src
COPY test/standins/package.json test/standins/package-lock.json test/standins/serve.mjs test/standins/
RUN cd test/standins && npm ci --ignore-scripts --no-audit --no-fund
COPY --from=build /aws-local /usr/local/bin/aws-local
CMD ["aws-local"]
