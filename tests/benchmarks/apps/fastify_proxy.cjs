// @fastify/http-proxy with undici, on one port: node fastify_proxy.cjs PLUGIN_MODULES FASTIFY_MODULES PORT UPSTREAM_PORT TOKEN
const { createRequire } = require('node:module')
const [plugin, framework, port, upstreamPort, token] = process.argv.slice(2)
const load = (folder, name) => createRequire(folder + "/")(name)
const server = load(framework, "fastify")({ logger: false, bodyLimit: 1 << 30 })
server.register(load(plugin, "@fastify/http-proxy"), {
  upstream: `http://127.0.0.1:${upstreamPort}`,
  replyOptions: { rewriteRequestHeaders: (request, headers) => ({ ...headers, authorization: token }) }
})
server.listen({ host: '127.0.0.1', port: Number(port) })
