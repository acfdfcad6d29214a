-- posts one fixed JSON order of about 200 bytes; prints one RESULT line for the harness
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.body = '{"id":"ord-0000000000000001","customer":"customer-000042@example.org","sku":"SKU-123456-BLUE-XL","qty":3,"price":129.95,"currency":"EUR","note":"leave the parcel with the neighbour at no. 7","t":0.0}'
function done(summary, latency, requests)
  local e = summary.errors
  io.write(string.format("RESULT %d %d %d %d %d %d\n", summary.requests, summary.duration, e.status,
    e.connect + e.read + e.write + e.timeout, latency:percentile(50), latency:percentile(99)))
end
