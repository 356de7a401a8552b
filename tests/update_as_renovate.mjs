// The update of a template as Renovate makes it, by Renovate's own code: clone, `copier update`, collect what changed.
// A dry run stops before that, and only a whole code host would let Renovate itself come so far.
import { mkdirSync } from 'node:fs';

const [renovate, url, localDir, newValue] = process.argv.slice(2);
const load = (name) => import(`${renovate}/${name}.js`);
await (await load('logger/index')).init();
const { parseConfigs } = await load('workers/global/config/parse/index');
const { getManagerConfig } = await load('config/index');
const { GlobalConfig } = await load('config/global');
const { add } = await load('util/host-rules');
const { initRepo, syncGit } = await load('util/git/index');
const { updateArtifacts } = await load('modules/manager/copier/artifacts');

mkdirSync(localDir);
const bot = { ...(await parseConfigs(process.env, [])), localDir, cacheDir: `${localDir}-cache` };
GlobalConfig.set(bot);
bot.hostRules.forEach((rule) => add(rule, { trusted: true }));
await initRepo({ url: url.replace('://', `://x-access-token:${process.env.ACME_TOKEN}@`), defaultBranch: 'main' });
await syncGit();
const results = await updateArtifacts({
  packageFileName: '.copier-answers.yml',
  updatedDeps: [{ depName: 'template', newValue }],
  config: getManagerConfig(bot, 'copier'),
});
const changes = results.map(({ file, artifactError }) => artifactError ?? [file.type, file.path]);
console.log(`\nCHANGES ${JSON.stringify(changes)}`);
