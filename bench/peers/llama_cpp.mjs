// llama_cpp.mjs FILE THREADS PREFILL DECODE: the speed of llama.cpp, by the package node-llama-cpp beside which this file
// lies when it runs. Prints "prefill TOKENS_PER_SECOND" and "decode TOKENS_PER_SECOND", each the best of two runs.
import {getLlama, LlamaLogLevel} from "node-llama-cpp";

const [file, threads, prefill, decode] = [process.argv[2], ...process.argv.slice(3).map(Number)];
const llama = await getLlama({gpu: false, build: "never", logLevel: LlamaLogLevel.error, maxThreads: threads});
const model = await llama.loadModel({modelPath: file, useMmap: true});
const context = await model.createContext({
    contextSize: prefill + decode + 64, batchSize: prefill, threads: {ideal: threads, min: threads}
});
const sequence = context.getSequence();
// Any ids will do: random weights know no language. The same range as the benchmark of lamina.
const tokens = Array.from({length: prefill}, (_, i) => (i * 7919 + 13) % 250);

const seconds = async (work) => {
    const begin = performance.now();
    await work();
    return (performance.now() - begin) / 1000;
};
const best = {prefill: 0, decode: 0};
for (let run = 0; run < 2; ++run) {
    await sequence.clearHistory();
    const reading = await seconds(() => sequence.evaluateWithoutGeneratingNewTokens(tokens));
    best.prefill = Math.max(best.prefill, prefill / reading);

    await sequence.clearHistory();
    let last = 1;
    const step = async (n) => {
        for await (const token of sequence.evaluate([last], {temperature: 0, yieldEogToken: true})) {
            last = token;
            if (--n <= 0) break;
        }
    };
    await step(4);  // warms up
    const writing = await seconds(() => step(decode));
    best.decode = Math.max(best.decode, decode / writing);
}
console.log(`prefill ${best.prefill.toFixed(3)}`);
console.log(`decode ${best.decode.toFixed(3)}`);
await llama.dispose();
process.exit(0);
