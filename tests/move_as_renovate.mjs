// What the custom managers of an app's renovate.json read, and how they move it, by Renovate's own code: prints each
// dependency, writes the given new versions into the files.
import { readFileSync, readdirSync } from 'node:fs';

const [renovate, localDir, given] = process.argv.slice(2);
const versions = JSON.parse(given);
const load = (name) => import(`${renovate}/${name}.js`);
await (await load('logger/index')).init();
const { GlobalConfig } = await load('config/global');
const { getMatchingFiles } = await load('workers/repository/extract/file-match');
const { extractPackageFile } = await load('modules/manager/custom/regex/index');
const { doAutoReplace } = await load('workers/repository/update/branch/auto-replace');

GlobalConfig.set({ localDir });
const { customManagers = [] } = JSON.parse(readFileSync(`${localDir}/renovate.json`, 'utf8'));
const files = readdirSync(localDir, { recursive: true });
const found = [];
for (const config of customManagers) {
  for (const packageFile of getMatchingFiles({ ...config, manager: 'regex' }, files)) {
    let content = readFileSync(`${localDir}/${packageFile}`, 'utf8');
    const { deps } = extractPackageFile(content, packageFile, config) ?? { deps: [] };
    for (const [depIndex, { replaceString, ...dep }] of deps.entries()) {
      found.push({ packageFile, ...dep });
      const newValue = versions[dep.depName];
      const upgrade = { ...config, ...dep, replaceString, manager: 'regex', packageFile, depIndex, newValue, autoReplaceGlobalMatch: true };
      content = newValue ? await doAutoReplace(upgrade, content, false) : content;
    }
  }
}
console.log(`\nFOUND ${JSON.stringify(found)}`);
