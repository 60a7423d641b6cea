// Starts one stand-in on loopback and prints its base URL as the first line:
//
//   node serve.mjs fauxqs|dynalite PORT     (port 0: any free one)
//
// It ends when its standard input closes, so that a killed parent leaves
// nothing behind. fauxqs's own command always listens on every interface;
// its exported application does not have to.
import process from 'node:process'

const host = '127.0.0.1'

const standIns = {
  // SQS, SNS and STS.
  async fauxqs(port) {
    const { buildApp } = await import('fauxqs')
    const app = buildApp({ logger: false })
    return app.listen({ host, port })
  },
  // DynamoDB. Tables are usable at once; AWS takes seconds.
  async dynalite(port) {
    // dynalite 4.0 throws when a client hangs up in the middle of a request, as
    // one does whose context ends.
    process.on('uncaughtException', (err) => {
      if (err.code !== 'ECONNRESET') {
        console.error(err)
        process.exit(1)
      }
    })
    const { default: dynalite } = await import('dynalite')
    const server = dynalite({ createTableMs: 0, deleteTableMs: 0, updateTableMs: 0 })
    await new Promise((resolve, reject) => {
      server.once('error', reject)
      server.listen(port, host, resolve)
    })
    return `http://${host}:${server.address().port}`
  },
}

const [name, port] = process.argv.slice(2)
const start = Object.hasOwn(standIns, name) ? standIns[name] : undefined
if (start === undefined) {
  console.error(`unknown stand-in ${name}: must be one of ${Object.keys(standIns).join(', ')}`)
  process.exit(2)
}
process.stdin.on('close', () => process.exit(0)).on('error', () => process.exit(0)).resume()
console.log(await start(Number(port)))
